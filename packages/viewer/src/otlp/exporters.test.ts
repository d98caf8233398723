import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { expect, it } from "vitest";

import { startViewer } from "../server/viewer.ts";

it.each([
  ["protobuf", ProtobufExporter, "none"],
  ["protobuf with gzip", ProtobufExporter, "gzip"],
  ["JSON", JsonExporter, "none"],
  ["JSON with gzip", JsonExporter, "gzip"],
] as const)("receives a span from the OpenTelemetry exporter for %s", async (_name, Exporter, compression) => {
  await using viewer = await startViewer({ port: 0 });
  const exporter = new Exporter({ url: `${viewer.url}/v1/traces`, compression: compression as never });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "shop", "process.pid": 7 }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const start = new Date(1_700_000_000_000);
  const span = provider.getTracer("a tracer").startSpan("GET /", {
    kind: SpanKind.SERVER,
    startTime: start,
    attributes: { text: "\u00e4\u{1f600}", whole: -3, part: 0.5, yes: true, list: ["a", "b"] },
    links: [{ context: { traceId: "1af7651916cd43dd8448eb211c80319c", spanId: "17ad6b7169203331", traceFlags: 1 } }],
  });
  span.addEvent("retry", { attempt: 2 }, new Date(1_700_000_000_005));
  span.setStatus({ code: SpanStatusCode.ERROR, message: "time is up" });
  span.end(new Date(1_700_000_000_010));
  await provider.shutdown();

  const { traceId, spanId } = span.spanContext();
  expect(viewer.store.trace(traceId)).toEqual([
    {
      traceId,
      spanId,
      parentSpanId: undefined,
      service: "shop",
      name: "GET /",
      kind: "server",
      start: 1_700_000_000_000,
      end: 1_700_000_000_010,
      attributes: { text: "\u00e4\u{1f600}", whole: -3, part: 0.5, yes: true, list: ["a", "b"] },
      failed: true,
      statusMessage: "time is up",
      events: [{ name: "retry", time: 1_700_000_000_005, attributes: { attempt: 2 } }],
      links: [{ traceId: "1af7651916cd43dd8448eb211c80319c", spanId: "17ad6b7169203331" }],
      scope: "a tracer",
      resource: { "service.name": "shop", "process.pid": 7 },
    },
  ]);
});
