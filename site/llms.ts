import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Section } from "./navigation.ts";
import { addressOf, ROOT, titleOf } from "./pages.ts";

const INTRODUCTION = `# Throughline

> Go's context for Node services: one Context for each request, with its deadline, cancellation, trace and values. It is
> carried between services as headers.
`;

/** `llms.txt`: the pages of the site, for language models (llmstxt.org). */
export function llmsIndex(sections: readonly Section[]): string {
  const groups = sections.flatMap(({ groups }) => groups);
  const lists = groups.map(
    ({ text, entries }) =>
      `## ${text}\n\n${entries.map((entry) => `- [${entry.text}](${addressOf(entry.file)}): ${summary(entry.file)}`).join("\n")}\n`,
  );
  return [INTRODUCTION, ...lists].join("\n");
}

/** `llms-full.txt`: the text of all pages. */
export function llmsFull(files: readonly string[]): string {
  const texts = files.map((file) => `<!-- ${file} -->\n\n${readFileSync(join(ROOT, file), "utf8")}`);
  return [INTRODUCTION, ...texts].join("\n");
}

/** The first sentence of a page, or else its title. */
function summary(file: string): string {
  const text = readFileSync(join(ROOT, file), "utf8").replaceAll(/^```[^]*?^```$/gm, "");
  const paragraph = text.split(/\n\n+/).find((part) => /^[A-Z`@[]/.test(part.trim()));
  const sentence = /^.*?[.:](?= |$)/.exec(paragraph?.trim().replaceAll("\n", " ") ?? "")?.[0];
  return (sentence ?? titleOf(file)).replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1");
}
