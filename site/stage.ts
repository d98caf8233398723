import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { inlineDrawing } from "./drawings/svg.ts";
import { llmsFull, llmsIndex } from "./llms.ts";
import { stageMarkdown } from "./markdown.ts";
import { existingSections, pathOf, ROOT, sources, titleOf } from "./pages.ts";

const PAGES = join(ROOT, "site/pages");

/** Writes the pages of the site to `site/pages`. Returns what they refer to and the repository does not have. */
export function stage(): string[] {
  const files = sources();
  const pages = new Set(files);
  const absent: string[] = [];
  for (const file of files) {
    const staged = stageMarkdown(file, readFileSync(join(ROOT, file), "utf8"), pages, inlineDrawing);
    absent.push(...staged.absent.map((target) => `${file}: ${target}`));
    write(`${pathOf(file)}.md`, staged.text);
  }
  write("index.md", readFileSync(join(ROOT, "site/home.md"), "utf8"));
  write("decisions/index.md", decisions(files));
  cpSync(join(ROOT, "docs/pictures"), join(PAGES, "public/pictures"), { recursive: true });
  write("public/llms.txt", llmsIndex(existingSections()));
  write("public/llms-full.txt", llmsFull(files));
  return absent;
}

function decisions(files: readonly string[]): string {
  const links = files
    .filter((file) => file.startsWith("decisions/"))
    .map((file) => `- [${titleOf(file)}](/${pathOf(file)})`);
  return `# Decisions\n\nWhy things are as they are. Each page has the context, the decision and its consequences.\n\n${links.join("\n")}\n`;
}

function write(path: string, text: string): void {
  const target = join(PAGES, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}
