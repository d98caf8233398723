import { describe, expect, it } from "vitest";

import type { TraceQuery } from "../api.ts";
import { span } from "../span.fixture.ts";
import { searchTraces } from "./trace-search.ts";
import { TraceStore } from "./trace-store.ts";

const ended = (endedBy: string, status?: number): object => ({
  attributes: {
    "throughline.ended_by": endedBy,
    ...(status === undefined ? undefined : { "http.response.status_code": status }),
  },
});

const store = new TraceStore();
store.add([
  span("ok00", "1", { name: "GET /search", service: "gateway", end: 20, ...ended("response", 200) }),
  span("ok00", "2", { name: "SELECT goods", service: "catalog", parentSpanId: "1" }),
  span("late", "3", { name: "GET /search", service: "gateway", end: 300, failed: true, ...ended("deadline", 504) }),
  span("left", "4", { name: "GET /cart", service: "gateway", end: 80, ...ended("client") }),
]);

it.each<[string, TraceQuery, string[]]>([
  ["no condition", {}, ["left", "late", "ok00"]],
  ["a service that takes part", { service: "catalog" }, ["ok00"]],
  ["a status", { status: "504" }, ["late"]],
  ["a class of status", { status: "2xx" }, ["ok00"]],
  ["a failed span", { status: "error" }, ["late"]],
  ["what ended it", { endedBy: "client" }, ["left"]],
  ["duration", { min: 50, max: 100 }, ["left"]],
  ["part of a span name, ignoring case", { text: "select" }, ["ok00"]],
  ["the beginning of the trace id", { text: "LAT" }, ["late"]],
  ["several conditions", { text: "search", min: 100, endedBy: "deadline" }, ["late"]],
  ["a text that does not occur", { text: "lamp" }, []],
])("finds traces by %s, newest first", (_what, query, ids) => {
  const { traces, matching } = searchTraces(store, query);
  expect(traces.map(({ traceId }) => traceId)).toEqual(ids);
  expect(matching).toBe(ids.length);
});

describe("a search text", () => {
  const rich = new TraceStore();
  const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(32)) as [string, string, string];
  rich.add([
    span(a, "00f067aa0ba902b7", { start: 1000, attributes: { "http.route": "/Items/:id", tags: ["blue"] } }),
    span(b, "1", { start: 2000, end: 2500, statusMessage: "Connection refused", resource: { zone: "eu 1" } }),
    span(c, "2", {
      start: 3000,
      end: 2900,
      events: [{ name: "exception", time: 1, attributes: { "exception.message": "out of stock" } }],
    }),
  ]);
  const found = (query: TraceQuery) => searchTraces(rich, query).traces.map(({ traceId }) => traceId[0]);

  it.each([
    ["/items/", "a"],
    ["http.route=/items/:id", "a"],
    ["blue", "a"],
    ["00f067aa0ba902b7", "a"],
    ["connection REFUSED", "b"],
    ['zone="eu 1" refused', "b"],
    ["out of stock", "c"],
    ["exception.message=", ""],
    ["http.route=/other", ""],
  ])("%s", (text, expected) => {
    expect(found({ text }).join("")).toBe(expected);
  });

  it("has bounds of time and an order", () => {
    expect(found({ since: 2400 })).toEqual(["c", "b"]);
    expect(found({ until: 2000 })).toEqual(["b", "a"]);
    expect(found({ sort: "longest" })).toEqual(["b", "a", "c"]);
  });

  it("finds traces of no or negative duration", () => {
    expect(found({})).toContain("c");
    expect(found({ max: 10 })).toEqual(["c", "a"]);
  });
});

it("returns the number of matches beyond the limit, and the values for the filters", () => {
  const { traces, matching, services, endings, stored } = searchTraces(store, { limit: 1 });
  expect([traces.length, matching]).toEqual([1, 3]);
  expect([services, endings]).toEqual([
    ["catalog", "gateway"],
    ["client", "deadline", "response"],
  ]);
  expect(stored).toMatchObject({ traces: 3, spans: 4 });
});
