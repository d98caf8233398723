import { readdirSync, readFileSync } from "node:fs";

import { Linter } from "eslint10";
import { describe, expect, it } from "vitest";

import { plugin } from "./plugin.ts";

const FOLDER = new URL("../docs/", import.meta.url);
const IMPORTS = `
import express from "express";
import pg from "pg";
import { background, bind, ContextError, current, run, withoutCancel, withTimeout, withValue } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import { query, withContext } from "@throughline/drivers/pg";
import { retry, sleep } from "@throughline/resilience";
`;

/** The code under a heading of a page. */
function codeUnder(page: string, heading: string): string {
  return new RegExp(`^## ${heading}\n\n\`\`\`js\n(.*?)^\`\`\``, "ms").exec(page)![1]!;
}

/** How often the rule reports the code, to which the imports are added that it does not have. */
function reports(rule: string, code: string): number {
  const imports = code.includes("import express") ? IMPORTS.replace(/import express.*/, "") : IMPORTS;
  const program = /^(?: {2})*return /m.test(code) && !code.includes("function") ? `async () => {${code}}` : code;
  const messages = new Linter().verify(`${imports}const appOfPage = express();\n${program}`, {
    plugins: { throughline: plugin as never },
    rules: { [`throughline/${rule}`]: "error" },
  });
  expect(messages.filter(({ fatal }) => fatal)).toEqual([]);
  return messages.length;
}

it("has a page for every rule", () => {
  expect(readdirSync(FOLDER)).toEqual(Object.keys(plugin.rules).map((rule) => `${rule}.md`));
});

describe.each(Object.keys(plugin.rules))("the page of %s", (rule) => {
  const page = readFileSync(new URL(`${rule}.md`, FOLDER), "utf8");

  it("shows code that the rule reports", () => {
    expect(reports(rule, codeUnder(page, "Wrong"))).toBeGreaterThan(0);
  });

  it("shows code that the rule accepts", () => {
    expect(reports(rule, codeUnder(page, "Right"))).toBe(0);
  });

  it("is named in the README", () => {
    expect(readFileSync(new URL("../README.md", FOLDER), "utf8")).toContain(`(docs/${rule}.md)`);
  });
});
