// Takes the screenshots of the documentation: `node test/viewer/pictures.ts`. Build the packages first.
import { fileURLToPath } from "node:url";

import { startViewer, type ViewedSpan } from "@throughline/viewer";
import type { Browser } from "playwright-core";

import { buildPage, findChromium, launch } from "./browser.ts";
import { answeredInTime, deadlineDeepDown, partialAnswer, visitorLeft } from "./fixtures.ts";
import { sendSpans } from "./send-spans.ts";
import { NOON } from "./trace-writer.ts";

const FOLDER = new URL("../../docs/pictures/", import.meta.url);
const SIZE = { width: 1360, height: 740 };

interface Picture {
  readonly name: string;
  readonly hash: string;
  readonly theme?: "dark";
  readonly height?: number;
  /** The selector of an element that exists when the page is ready. */
  readonly ready: string;
}

/** Traces for the list: all fixtures repeatedly, for two pages of the shop. */
function many(): ViewedSpan[][] {
  const ways = [answeredInTime, partialAnswer, visitorLeft, deadlineDeepDown];
  return Array.from({ length: 15 }, (_, index) => {
    const way = ways[[0, 0, 1, 0, 2, 0, 3][index % 7]!]!;
    const spans = way(20 + index, NOON - 31_000 + index * 1930, (index * 37) % 90);
    return index % 4 === 1 ? spans.map(asCheckout) : spans;
  });
}

function asCheckout(span: ViewedSpan): ViewedSpan {
  const service = span.service === "search" ? "checkout" : span.service;
  return { ...span, service, resource: { "service.name": service }, name: span.name.replace("/search", "/checkout") };
}

async function take(browser: Browser, url: string, { name, hash, theme, ready, height }: Picture): Promise<void> {
  const page = await browser.newPage({
    viewport: { ...SIZE, height: height ?? SIZE.height },
    colorScheme: theme ?? "light",
    deviceScaleFactor: 2,
    timezoneId: "UTC",
  });
  await page.goto(`${url}/${hash}`);
  await page.locator(ready).first().waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, FOLDER)) });
  await page.close();
}

const executable = findChromium();
if (executable === undefined)
  throw new Error("Cannot take pictures: Chromium is not installed; install it or set CHROMIUM to its path");
using page = await buildPage();
await using viewer = await startViewer({ port: 0, page: page.folder });
const traces = [
  answeredInTime(1, NOON),
  deadlineDeepDown(2, NOON + 1260),
  visitorLeft(3, NOON + 2480),
  partialAnswer(4, NOON + 4130),
] as const;
await sendSpans(viewer.url, ...many(), ...traces);
const [answered, late, left, partial] = traces.map(([{ traceId } = { traceId: "" }]) => traceId);
await using browser = await launch(executable);
const row = ".waterfall-row";
const pictures: readonly Picture[] = [
  { name: "answered-in-time", hash: `#/trace/${answered}`, ready: row },
  { name: "deadline-deep-down", hash: `#/trace/${late}`, ready: row },
  { name: "visitor-left", hash: `#/trace/${left}`, ready: row },
  { name: "partial-answer", hash: `#/trace/${partial}`, ready: row, height: 800 },
  { name: "visitor-left-dark", hash: `#/trace/${left}`, theme: "dark", ready: row },
  { name: "details", hash: `#/trace/${late}?span=5b00000000000008`, ready: ".span-panel", height: 900 },
  { name: "list", hash: "#/", ready: ".trace-table", height: 760 },
  { name: "deadlines", hash: "#/deadlines", ready: ".report", height: 760 },
  { name: "services", hash: "#/graph", ready: ".service-box" },
  { name: "compare", hash: `#/compare/${answered}/${partial}`, ready: ".compare-row.is-both" },
];
for (const picture of pictures) await take(browser, viewer.url, picture);
