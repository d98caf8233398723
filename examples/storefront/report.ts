import { styleText } from "node:util";

import { type ViewedSpan, waterfall } from "@throughline/viewer";

import type { ProblemResponse, Claim, Scenario } from "./scenarios.ts";

const color = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;

function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return color ? styleText(style, text) : text;
}

/** One scenario on the terminal: what was asked and answered, where the trace went or how it looks, what it shows. */
export function report(
  number: number,
  { title, query, budget }: Scenario,
  answer: ProblemResponse,
  trace: string | ViewedSpan[],
  claims: Claim[],
): void {
  console.log(`\n${paint("bold", `${number}. ${title}`)}  GET /search?q=${query}, ${budget} ms to spend`);
  console.log(`   ${answer.status ?? "left before the answer"}  ${JSON.stringify(answer.body)}\n`);
  console.log(
    typeof trace === "string" ? `   ${trace}` : waterfall(trace, { color, width: process.stdout.columns || 120 }),
  );
  console.log();
  for (const [holds, claim] of claims) {
    console.log(`   ${holds ? paint("green", "✓") : paint("red", "✗ NOT SO:")} ${claim}`);
  }
}

/** How to go on by hand. */
export function explain(gateway: string, token: string, viewer: string | undefined): void {
  const curl = (options: string, query: string): string =>
    `  curl -i -H "authorization: Bearer $TOKEN" ${options} "${gateway}/search?q=${query}"`;
  console.log(`
The storefront is up at ${gateway}. Paste these; then change the budget (m: milliseconds, S: seconds) or what is
searched for (lamp, sofa, attic):

  TOKEN=${token}
${curl('-H "grpc-timeout: 1S"', "lamp")}
${curl('-H "grpc-timeout: 300m"', "sofa")}
${curl('-H "grpc-timeout: 5m"', "lamp")}
${curl("-m 0.2", "attic")}

${viewer === undefined ? "" : `Their traces, and those of the four scenarios: ${viewer}\n\n`}Ctrl-C drains and ends it.`);
}
