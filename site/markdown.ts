import { existsSync } from "node:fs";
import { posix } from "node:path";

import { addressOf, isFolder, ROOT } from "./pages.ts";

export const REPOSITORY = "https://github.com/throughline-js/throughline";

export interface Staged {
  readonly text: string;
  /** What the page refers to and the repository does not have. */
  readonly absent: readonly string[];
}

/**
 * Rewrites a Markdown file of the repository for the site: relative links lead to pages of the site, or else to the
 * repository; marked sections become tabs; drawings are inlined, so that they follow the theme of the site.
 *
 * @param pages the files that are pages
 * @param drawing returns the SVG of a file, if it is a drawing of this site
 */
export function stageMarkdown(
  file: string,
  text: string,
  pages: ReadonlySet<string>,
  drawing: (file: string) => string | undefined,
): Staged {
  const absent: string[] = [];
  const folder = posix.dirname(file);

  function link(target: string): string {
    if (/^([a-z]+:|#|\/)/.test(target)) return target;
    const [path = "", anchor] = target.split("#");
    const resolved = posix.normalize(posix.join(folder, path)).replace(/\/$/, "");
    const hash = anchor === undefined ? "" : `#${anchor}`;
    const page = [resolved, `${resolved}/README.md`].find((each) => pages.has(each));
    if (page !== undefined) return `${addressOf(page)}${hash}`;
    if (resolved === "decisions") return "/decisions/";
    if (resolved === "docs" || resolved === "README.md") return "/";
    if (!existsSync(`${ROOT}${resolved}`)) absent.push(target);
    return `${REPOSITORY}/${isFolder(resolved) ? "tree" : "blob"}/main/${resolved}${hash}`;
  }

  function image(alt: string, target: string): string {
    if (/^[a-z]+:/.test(target)) return `![${alt}](${target})`;
    const resolved = posix.normalize(posix.join(folder, target));
    if (!existsSync(`${ROOT}${resolved}`)) {
      absent.push(target);
      return "";
    }
    const svg = drawing(resolved);
    return svg === undefined ? `![${alt}](/${resolved.replace(/^docs\//, "")})` : svg;
  }

  const prose = (part: string): string =>
    part
      .replaceAll(/!\[([^\]]*)\]\(([^)\s]+)\)/g, (_, alt: string, target: string) => image(alt, target))
      .replaceAll(/(?<=\])\(([^)\s]+)\)/g, (_, target: string) => `(${link(target)})`)
      .replaceAll(/^(\[[^\]\n]+\]: )(\S+)$/gm, (_, label: string, target: string) => `${label}${link(target)}`);
  return { text: outsideOfCode(tabs(text), prose), absent };
}

/** Applies a change to the text between fenced code blocks and inline code. */
function outsideOfCode(text: string, change: (part: string) => string): string {
  const code = /^( *)```[^]*?^\1```$|(?<!`)`[^`\n]+`(?!`)/gm;
  // Links may have inline code as their text, so the code is replaced by a mark during the change.
  const kept: string[] = [];
  const marked = text.replaceAll(code, (each) => `\u{E000}${kept.push(each) - 1}\u{E001}`);
  return change(marked).replaceAll(/\u{E000}(\d+)\u{E001}/gu, (_, index: string) => kept[Number(index)]!);
}

/**
 * Turns the sections between `<!-- tabs -->` and `<!-- /tabs -->` into a group of tabs. In the repository they are
 * headings with a code block each.
 */
function tabs(text: string): string {
  return text.replaceAll(/^<!-- tabs -->\n([^]*?)^<!-- \/tabs -->$/gm, (_, body: string) => {
    const blocks = [...body.matchAll(/^#+ (.+)\n+```(\w+)\n([^]*?)^```$/gm)];
    const fences = blocks.map(([, title, language, code]) => `\`\`\`${language} [${title}]\n${code}\`\`\`\n`);
    return `::: code-group\n\n${fences.join("\n")}\n:::`;
  });
}
