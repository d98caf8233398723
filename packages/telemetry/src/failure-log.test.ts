import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { diag, metrics, trace } from "@opentelemetry/api";
import { afterEach, beforeEach, expect, it, type Mock, vi } from "vitest";

import { startTelemetry, type Telemetry } from "./start-telemetry.ts";

let telemetry: Telemetry | undefined;
let written: Mock;

beforeEach(() => {
  written = vi.fn();
  vi.stubGlobal("console", { ...console, error: written, warn: written });
});

afterEach(async () => {
  await telemetry?.shutdown();
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

/** The URL of a collector that is down. */
async function down(): Promise<string> {
  const server = http.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

it("writes one line for a collector that is down, for all signals, and stops retrying after a second", async () => {
  telemetry = startTelemetry({ endpoint: await down() });
  for (let flushes = 0; flushes < 2; flushes++) {
    trace.getTracer("test").startSpan("one").end();
    metrics.getMeter("test").createCounter("one").add(1);
    const from = performance.now();
    await telemetry.flush();
    expect(performance.now() - from).toBeLessThan(1_900);
  }
  expect(written.mock.calls).toEqual([[expect.stringMatching(/^OpenTelemetry: .*ECONNREFUSED 127\.0\.0\.1:\d+\)?$/)]]);
});

it("writes one line a minute for each kind of failure", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  telemetry = startTelemetry({ exporter: "none" });
  const fail = (...args: [string, ...unknown[]]): void => diag.error(...args);
  fail("Dropped 3 spans because maxQueueSize reached");
  fail("Dropped 4 spans because maxQueueSize reached");
  fail("Cannot execute the operation on ended Span {spanId: c1ff7d2e9458ac14}");
  fail("Cannot execute the operation on ended Span {spanId: 00f067aa0ba902b7}");
  fail("Something else\n    at a stack", new Error("with an error"), { and: 1 });
  vi.advanceTimersByTime(60_000);
  fail("Dropped 5 spans because maxQueueSize reached");
  expect(written.mock.calls.flat()).toEqual([
    "OpenTelemetry: Dropped 3 spans because maxQueueSize reached",
    "OpenTelemetry: Cannot execute the operation on ended Span {spanId: c1ff7d2e9458ac14}",
    "OpenTelemetry: Something else at a stack Error: with an error { and: 1 }",
    "OpenTelemetry: Dropped 5 spans because maxQueueSize reached",
  ]);
});

it.each([
  [
    { name: "OTLPExporterError", message: "Bad Request", code: "400", stack: "..." },
    "OTLPExporterError: Bad Request (400)",
  ],
  [
    { name: "AggregateError", errors: "Error: connect ECONNREFUSED ::1:1", code: "ECONNREFUSED", stack: "..." },
    "AggregateError: Error: connect ECONNREFUSED ::1:1",
  ],
  [{ name: "Error", code: "EPIPE" }, "Error (EPIPE)"],
  [{ not: "an error" }, '{"not":"an error"}'],
])("writes %j as text", (error, line) => {
  telemetry = startTelemetry({ exporter: "none" });
  diag.error(JSON.stringify(error));
  diag.error("{ no JSON");
  expect(written.mock.calls.flat()).toEqual([`OpenTelemetry: ${line}`, "OpenTelemetry: { no JSON"]);
});

it("writes no warnings with OTEL_LOG_LEVEL=error", () => {
  vi.stubEnv("OTEL_LOG_LEVEL", "error");
  telemetry = startTelemetry({ exporter: "none" });
  diag.warn("a warning");
  diag.error("an error");
  expect(written.mock.calls).toEqual([["OpenTelemetry: an error"]]);
  expect(process.env["OTEL_LOG_LEVEL"]).toBe("error");
});

it("uses OpenTelemetry's own logger with OTEL_LOG_LEVEL=info", () => {
  vi.stubEnv("OTEL_LOG_LEVEL", "info");
  telemetry = startTelemetry({ exporter: "none" });
  diag.error("written by OpenTelemetry's logger, on the console that it found when it was loaded");
  expect(written).not.toHaveBeenCalled();
});
