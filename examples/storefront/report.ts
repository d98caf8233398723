import { styleText } from "node:util";

import { type ViewedSpan, waterfall } from "@throughline/viewer";

import type { Answer, Claim, Scenario } from "./scenarios.ts";

const color = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;

function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return color ? styleText(style, text) : text;
}

/**
 * Prints a scenario: its request and response, its claims, and its trace.
 *
 * @param trace the spans, or where they went
 */
export function report(
  number: number,
  { title, method = "GET", path, budget }: Scenario,
  answer: Answer,
  trace: string | ViewedSpan[],
  claims: Claim[],
): void {
  console.log(`\n${paint("bold", `${number}. ${title}`)}  ${method} ${path}, budget ${budget} ms`);
  console.log(`   ${answer.status ?? "no response: the visitor left"}  ${JSON.stringify(answer.body)}\n`);
  console.log(
    typeof trace === "string" ? `   ${trace}` : waterfall(trace, { color, width: process.stdout.columns || 120 }),
  );
  console.log();
  for (const [holds, claim] of claims) {
    console.log(`   ${holds ? paint("green", "✓") : paint("red", "✗ NOT SO:")} ${claim}`);
  }
}

/** Prints commands to try by hand. */
export function printCommands(gateway: string, token: string, viewer: string | undefined): void {
  const curl = (options: string, path: string): string =>
    `  curl -i -H "authorization: Bearer $TOKEN" ${options} "${gateway}${path}"`;
  const search = (options: string, query: string): string => curl(options, `/search?q=${query}`);
  console.log(`
The storefront listens at ${gateway}. Paste these commands; then change the budget (m: milliseconds, S: seconds) or
the query (lamp, sofa, attic):

  TOKEN=${token}
${search('-H "grpc-timeout: 1S"', "lamp")}
${search('-H "grpc-timeout: 300m"', "sofa")}
${search('-H "grpc-timeout: 5m"', "lamp")}
${search("-m 0.2", "attic")}
${curl('-X POST -H "grpc-timeout: 800m"', "/orders?product=lamp-1")}

${viewer === undefined ? "" : `Traces of these requests and of the scenarios: ${viewer}\n\n`}Ctrl-C drains and ends it.`);
}
