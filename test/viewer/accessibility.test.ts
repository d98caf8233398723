import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, idOf, partialAnswer, traceHash, visitorLeft } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";
import { startJaeger } from "./remote-servers.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const late = deadlineDeepDown();
const FOUR = [answeredInTime(), late, visitorLeft(), partialAnswer()];
const withWarning = answeredInTime(8).filter(({ name }) => name !== "POST");
const failed = visitorLeft(9).map((span) => ({ ...span, failed: true }));

const PAGES: readonly (readonly [string, string, string])[] = [
  ["the list", "#/", ".trace-table"],
  ["an empty list", "#/?text=nowhere", ".notice"],
  ["a list of a time", "#/?since=2026-03-14T11:00Z", ".trace-table"],
  ["an error", "#/?since=soon", ".notice"],
  ["a trace", traceHash(late), ".waterfall-row"],
  ["a trace with warnings", traceHash(withWarning), ".warnings"],
  ["a trace with errors", traceHash(failed), ".error-count"],
  ["the details of a span", traceHash(late, idOf(late, "pricing", "POST /prices")), ".span-panel"],
  ["the graph", "#/graph", ".service-box"],
  ["the deadlines", "#/deadlines", ".report"],
  [
    "the deadlines of another server",
    "#/deadlines?source=remote&service=search&since=2026-03-14T11:00Z&until=2026-03-14T13:00Z",
    ".report",
  ],
  ["a comparison", `#/compare/${FOUR[0]![0]!.traceId}/${FOUR[3]![0]!.traceId}`, ".compare-row.is-both"],
  ["an absent trace", `#/trace/${"ab".repeat(16)}`, ".notice"],
];

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** The time of each test: it looks at all pages. */
const TIMEOUT = 90_000;

describeInBrowser("the pages for assistive technology", (look) => {
  it.each([
    ["light", 1280],
    ["dark", 600],
  ] as const)(
    "have no violation of axe in %s colours at %i pixels",
    async (colorScheme, width) => {
      await using jaeger = await startJaeger(late);
      const traces = [...FOUR, withWarning, failed];
      await using opened = await look({ traces, colorScheme, from: jaeger.url });
      const { page } = opened;
      await page.setViewportSize({ width, height: 720 });
      const found: string[] = [];
      for (const [name, hash, ready] of PAGES) {
        await opened.go(hash);
        await page.locator(ready).first().waitFor();
        await page.evaluate(AXE);
        const { violations } = (await page.evaluate("axe.run()")) as { violations: Violation[] };
        for (const { id, nodes } of violations)
          found.push(`${name}: ${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`);
      }
      expect(found).toEqual([]);
    },
    TIMEOUT,
  );
});
