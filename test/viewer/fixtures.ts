import type { ViewedSpan } from "@throughline/viewer";

import { NOON, TraceWriter } from "./trace-writer.ts";

const url = (query: string) => ({ "url.path": "/search", "url.query": query });

/** All services respond well within the budget of two seconds. */
export function answeredInTime(number = 1, start: number = NOON, slower = 0): ViewedSpan[] {
  const writer = new TraceWriter(number, start);
  const end = 186 + slower;
  const request = { service: "gateway", name: "GET /search", attributes: url("q=lamp") };
  const gateway = writer.span(undefined, { ...request, at: [0, end], budget: 2000, status: 200 });
  const search = writer.call(
    gateway,
    ["gateway", "search"],
    "GET /search",
    { at: [3.1, end - 2], budget: 1996, status: 200 },
    { at: [5.2, end - 4], budget: 1996, status: 200 },
  );
  const catalog = writer.call(
    search,
    ["search", "catalog"],
    "GET /products",
    { at: [8.4, 64.2], budget: 1967, status: 200 },
    { at: [10.1, 62.5], budget: 1967, status: 200 },
  );
  writer.query(catalog, "catalog", "SELECT products", { at: [14, 55.1] });
  const pricing = writer.call(
    search,
    ["search", "pricing"],
    "POST /prices",
    { at: [66.1, 121], budget: 1909, status: 200 },
    { at: [67.9, 119.4], budget: 500, source: "maxTimeout", status: 200 },
  );
  writer.call(
    pricing,
    ["pricing", "inventory"],
    "GET /stock",
    { at: [71.3, 108.8], budget: 476, status: 200 },
    { at: [73, 107.1], budget: 476, status: 200 },
  );
  writer.call(
    search,
    ["search", "reviews"],
    "GET /reviews",
    { at: [66.8, 139.5 + slower], budget: 1908, status: 200 },
    { at: [68.4, 137.8 + slower], budget: 1908, status: 200 },
  );
  writer.span(search, { service: "search", name: "rank results", kind: "internal", at: [142 + slower, end - 6] });
  return writer.spans;
}

/** Pricing has a limit of 300 ms and waits longer for inventory, so the request is answered 504. */
export function deadlineDeepDown(number = 2, start: number = NOON): ViewedSpan[] {
  const writer = new TraceWriter(number, start);
  const request = { service: "gateway", name: "GET /search", attributes: url("q=attic") };
  const gateway = writer.span(undefined, { ...request, at: [0, 393.4], budget: 1500, status: 504 });
  const search = writer.call(
    gateway,
    ["gateway", "search"],
    "GET /search",
    { at: [3.4, 391.6], budget: 1496, status: 504 },
    { at: [5.3, 389.7], budget: 1496, status: 504 },
  );
  const catalog = writer.call(
    search,
    ["search", "catalog"],
    "GET /products",
    { at: [8.2, 97.4], budget: 1468, status: 200 },
    { at: [10, 95.6], budget: 1468, status: 200 },
  );
  writer.query(catalog, "catalog", "SELECT products", { at: [13.1, 88.9] });
  const pricing = writer.call(
    search,
    ["search", "pricing"],
    "POST /prices",
    { at: [99.6, 386.8], budget: 1376, status: 504 },
    { at: [101.4, 385], budget: 300, source: "maxTimeout", by: "deadline", status: 504 },
  );
  const inventory = writer.call(
    pricing,
    ["pricing", "inventory"],
    "GET /stock",
    { at: [106.2, 381.6], budget: 275, by: "deadline", phase: "headers" },
    { at: [108, 382.9], budget: 275, by: "client" },
  );
  writer.query(inventory, "inventory", "SELECT stock FOR UPDATE", { at: [111.5, 383.8], by: "cancel" });
  return writer.spans;
}

/** The visitor closes the tab after 83 ms, which cancels all running calls. */
export function visitorLeft(number = 3, start: number = NOON): ViewedSpan[] {
  const writer = new TraceWriter(number, start);
  const request = { service: "gateway", name: "GET /search", attributes: url("q=lamp") };
  const gateway = writer.span(undefined, { ...request, at: [0, 83.2], budget: 2000, by: "client" });
  const search = writer.call(
    gateway,
    ["gateway", "search"],
    "GET /search",
    { at: [2.9, 83.6], budget: 1997, by: "cancel", phase: "headers" },
    { at: [4.8, 84.5], budget: 1997, by: "client" },
  );
  const catalog = writer.call(
    search,
    ["search", "catalog"],
    "GET /products",
    { at: [7.6, 41.2], budget: 1969, status: 200 },
    { at: [9.3, 39.4], budget: 1969, status: 200 },
  );
  writer.query(catalog, "catalog", "SELECT products", { at: [12.2, 33.8] });
  const pricing = writer.call(
    search,
    ["search", "pricing"],
    "POST /prices",
    { at: [43.1, 84.8], budget: 1932, by: "cancel", phase: "headers" },
    { at: [44.9, 85.6], budget: 500, source: "maxTimeout", by: "client" },
  );
  writer.call(
    pricing,
    ["pricing", "inventory"],
    "GET /stock",
    { at: [48.2, 85.9], budget: 476, by: "cancel", phase: "headers" },
    { at: [50.1, 86.7], budget: 476, by: "client" },
  );
  writer.call(
    search,
    ["search", "reviews"],
    "GET /reviews",
    { at: [43.7, 84.9], budget: 1931, by: "cancel", phase: "body" },
    { at: [45.4, 85.8], budget: 1931, by: "client" },
  );
  return writer.spans;
}

/** Reviews is too slow, so the response is partial. Inventory refuses a call that has too little time left. */
export function partialAnswer(number = 4, start: number = NOON): ViewedSpan[] {
  const writer = new TraceWriter(number, start);
  const request = { service: "gateway", name: "GET /search", attributes: url("q=sofa") };
  const gateway = writer.span(undefined, { ...request, at: [0, 362.2], budget: 400, status: 200 });
  const search = writer.call(
    gateway,
    ["gateway", "search"],
    "GET /search",
    { at: [3, 360.4], budget: 396, status: 200 },
    { at: [4.9, 358.5], budget: 396, status: 200 },
  );
  const catalog = writer.call(
    search,
    ["search", "catalog"],
    "GET /products",
    { at: [7.9, 58.3], budget: 367, status: 200 },
    { at: [9.7, 56.4], budget: 367, status: 200 },
  );
  writer.query(catalog, "catalog", "SELECT products", { at: [12.6, 50.2] });
  const reviews = writer.call(
    search,
    ["search", "reviews"],
    "GET /reviews",
    { at: [60.4, 345.6], budget: 285, by: "deadline", phase: "body" },
    { at: [62.3, 346.9], budget: 285, by: "client" },
  );
  writer.query(reviews, "reviews", "SELECT reviews", { at: [66.4, 347.7], by: "cancel" });
  const pricing = writer.call(
    search,
    ["search", "pricing"],
    "POST /prices",
    { at: [61.2, 352.8], budget: 314, status: 200 },
    { at: [63, 351.1], budget: 314, status: 200 },
  );
  writer.span(pricing, { service: "pricing", name: "compute discounts", kind: "internal", at: [65.2, 338.9] });
  writer.call(
    pricing,
    ["pricing", "inventory"],
    "GET /stock",
    { at: [340.5, 346.2], budget: 13, status: 504 },
    { at: [342.6, 343.5], budget: 13, by: "refusal", status: 504 },
  );
  return writer.spans;
}

/** A trace with `count` spans: an import that calls a service repeatedly. */
export function longTrace(count: number, number = 9, start: number = NOON): ViewedSpan[] {
  const writer = new TraceWriter(number, start);
  const end = count * 2;
  const root = writer.span(undefined, { service: "batch", name: "POST /import", at: [0, end], status: 200 });
  while (writer.spans.length < count - 1) {
    const at = writer.spans.length * 2;
    writer.call(
      root,
      ["batch", "rows"],
      "PUT /rows/{id}",
      { at: [at, at + 3.5] },
      { at: [at + 1, at + 3], status: 204 },
    );
  }
  while (writer.spans.length >= count) writer.spans.pop();
  writer.span(root, { service: "batch", name: "commit", kind: "internal", at: [end - 3, end - 1] });
  return writer.spans;
}

/** The hash of the page for a trace, with the details of a span if one is given. */
export function traceHash([first]: readonly ViewedSpan[], spanId?: string): string {
  return `#/trace/${first!.traceId}${spanId === undefined ? "" : `?span=${spanId}`}`;
}

/** The id of the span with this service and name. */
export function idOf(spans: readonly ViewedSpan[], service: string, name: string): string {
  return spans.find((span) => span.service === service && span.name === name)!.spanId;
}
