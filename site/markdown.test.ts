import { expect, it } from "vitest";

import { REPOSITORY, stageMarkdown } from "./markdown.ts";

const PAGES = new Set(["docs/hosts.md", "docs/learn/context.md", "docs/migrate/README.md", "packages/http/README.md"]);

function staged(text: string, file = "docs/learn/context.md"): string {
  return stageMarkdown(file, text, PAGES, () => undefined).text;
}

it.each([
  ["a page", "[x](../hosts.md#draining)", "[x](/hosts#draining)"],
  ["a folder with a README", "[x](../migrate)", "[x](/migrate/)"],
  ["a package", "[x](../../packages/http)", "[x](/packages/http)"],
  ["a file that is no page", "[x](../../LICENSE)", `[x](${REPOSITORY}/blob/main/LICENSE)`],
  ["a folder that is no page", "[x](../../examples)", `[x](${REPOSITORY}/tree/main/examples)`],
  ["another site", "[x](https://example.com/a.md)", "[x](https://example.com/a.md)"],
  ["a heading of the page", "[x](#api)", "[x](#api)"],
  ["a page, by a reference", "[x]: ../hosts.md", "[x]: /hosts"],
  ["a page, with code as its text", "[`x`](../hosts.md)", "[`x`](/hosts)"],
  ["a page, over two lines", "[two\nlines](../hosts.md)", "[two\nlines](/hosts)"],
])("a link to %s leads there", (_target, text, expected) => {
  expect(staged(text)).toBe(expected);
});

it.each(["`[x](../hosts.md)`", "```md\n[x](../hosts.md)\n```"])("code is not changed: %s", (text) => {
  expect(staged(text)).toBe(text);
});

it("marked sections become tabs, and all others stay", () => {
  const section = (title: string): string => `### ${title}\n\n\`\`\`ts\n${title}();\n\`\`\`\n`;
  const text = `${section("Before")}\n<!-- tabs -->\n\n${section("Koa")}\n${section("Hono")}\n<!-- /tabs -->\n`;
  expect(staged(text)).toContain("::: code-group\n\n```ts [Koa]\nKoa();\n```\n\n```ts [Hono]\nHono();\n```\n\n:::");
  expect(staged(text)).toContain(section("Before"));
});

it("an image that does not exist is left out and reported, so that the site can be built", () => {
  const { text, absent } = stageMarkdown("docs/hosts.md", "![A plot](pictures/none.svg)", PAGES, () => undefined);
  expect([text, absent]).toEqual(["", ["pictures/none.svg"]]);
});
