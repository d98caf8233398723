import { expect, it } from "vitest";

import { span } from "../span.fixture.ts";
import { formatTraces } from "./otlp-export.ts";
import { parseTracesJson } from "./otlp-json.ts";

it("parses exported spans back to equal spans", () => {
  const resource = { "service.name": "shop", "host.cpus": 4 };
  const rest = { service: "shop", resource };
  const spans = [
    span("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", {
      ...rest,
      scope: "throughline",
      kind: "client",
      start: 1_700_000_000_000.25,
      end: 1_700_000_000_001,
      parentSpanId: "00f067aa0ba902b7",
      attributes: { text: "a", whole: 3, part: 0.5, yes: true, list: ["a", 1, false] },
      failed: true,
      statusMessage: "time is up",
      events: [{ name: "retry", time: 1_700_000_000_000.5, attributes: { attempt: 2 } }],
      links: [{ traceId: "1af7651916cd43dd8448eb211c80319c", spanId: "17ad6b7169203331" }],
    }),
    span("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", rest),
  ];
  expect(parseTracesJson(JSON.stringify(formatTraces(spans)))).toEqual(spans);
});
