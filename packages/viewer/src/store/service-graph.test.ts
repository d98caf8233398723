import { expect, it } from "vitest";

import { span } from "../span.fixture.ts";
import { serviceGraph } from "./service-graph.ts";
import { TraceStore } from "./trace-store.ts";

it("counts a span as a call if its parent is of another service, and as a request if it comes from outside", () => {
  const store = new TraceStore();
  for (let request = 0; request < 20; request++) {
    const failed = request === 0;
    store.add([
      span(`${request}`, "1", { service: "gateway", kind: "server", start: 0, end: 100 }),
      span(`${request}`, "2", { service: "gateway", kind: "client", parentSpanId: "1", start: 1, end: 99 }),
      span(`${request}`, "3", { service: "search", kind: "server", parentSpanId: "2", start: 0, end: request, failed }),
    ]);
  }
  expect(serviceGraph(store)).toEqual({
    services: [
      { name: "gateway", count: 20, failed: 0, p50: 100, p95: 100 },
      { name: "search", count: 20, failed: 1, p50: 10, p95: 19 },
    ],
    calls: [{ from: "gateway", to: "search", count: 20, failed: 1, p50: 10, p95: 19 }],
  });
});

it("returns an empty graph for an empty store", () => {
  expect(serviceGraph(new TraceStore())).toEqual({ services: [], calls: [] });
});
