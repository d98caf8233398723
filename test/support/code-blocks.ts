import { readFileSync } from "node:fs";

/** A code block of a Markdown file. */
export interface CodeBlock {
  /** Unique in the repository, and a file name. */
  readonly name: string;
  readonly code: string;
}

/** The TypeScript blocks of a Markdown file. */
export function codeBlocksOf(file: string): CodeBlock[] {
  const blocks = [...readFileSync(file, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
  return blocks.map((block, index) => ({ name: `${file.replaceAll(/\W+/g, "-")}-${index + 1}`, code: block[1]! }));
}
