import { expect, it } from "vitest";

import { deadlineReport } from "./deadline-report.ts";
import { trace } from "./trace.fixture.ts";

const answered = trace({ gateway: [[0, 50], { budget: 500, by: "response", name: "GET /" }] });
const late = trace({
  gateway: [[1000, 1400], { budget: 2000, name: "GET /", by: "error" }],
  "gateway/call": [[1010, 1320], { kind: "client", service: "gateway", name: "GET", budget: 1980 }],
  "gateway/call/pricing": [[1015, 1315], { budget: 300, source: "maxTimeout", by: "deadline", name: "POST /" }],
});
const left = trace({
  gateway: [[2000, 2100], { budget: 900, by: "client", name: "GET /cart" }],
  "gateway/call": [[2010, 2100], { kind: "client", service: "gateway", by: "cancel" }],
  "gateway/call/slow": [[2020, 2600], { name: "work" }],
});
const traces = [answered, late, left];

it("reports which deadline passes, where the time is spent, and what goes on after the client left", () => {
  const report = deadlineReport(traces, {});
  expect(report).toMatchObject({ traces: 3, withDeadline: 3, exceeded: 1, clientLeft: 1 });
  expect(report.hops[0]).toEqual({
    service: "pricing",
    name: "POST /",
    source: "maxTimeout",
    requests: 1,
    fired: 1,
    cut: 1,
    budgetP50: 300,
    usedP50: 1,
    usedP95: 1,
  });
  expect(report.spent[0]).toMatchObject({ service: "slow", ms: 580 });
  expect(report.spent.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  expect(report.afterClientLeft).toEqual([{ service: "slow", name: "work", count: 1, total: 500, most: 500 }]);
  expect(report.routes).toEqual(["gateway GET /", "gateway GET /cart"]);
});

it("is narrowed by route and by time, and names all routes of the time", () => {
  expect(deadlineReport(traces, { route: "gateway GET /" })).toMatchObject({ traces: 2, clientLeft: 0 });
  const recent = deadlineReport(traces, { since: 1500 });
  expect([recent.traces, recent.exceeded, recent.routes]).toEqual([1, 0, ["gateway GET /cart"]]);
});
