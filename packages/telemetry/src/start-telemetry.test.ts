import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { background, current, run, withTimeout } from "@throughline/context";
import { afterEach, describe, expect, it, vi } from "vitest";

import { runningTelemetry, startTelemetry, type Telemetry } from "./start-telemetry.ts";

let telemetry: Telemetry | undefined;
const closing: (() => void)[] = [];

afterEach(async () => {
  await telemetry?.shutdown();
  telemetry = undefined;
  for (const close of closing.splice(0)) close();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

interface Export {
  readonly path: string;
  readonly type: string;
}

/** Starts a collector for HTTP/1, or for HTTP/2 as gRPC uses it, and records its exports. */
async function collector(protocol: "http" | "grpc"): Promise<{ url: string; exports: Export[] }> {
  const exports: Export[] = [];
  const server = protocol === "http" ? http.createServer() : http2.createServer();
  server.on("request", (req: http.IncomingMessage, res: http.ServerResponse) => {
    exports.push({ path: req.url!, type: req.headers["content-type"]! });
    req.resume();
    res.setHeader("content-type", req.headers["content-type"]!);
    if (protocol === "grpc")
      (res as unknown as http2.Http2ServerResponse).stream.respond(
        { "content-type": "application/grpc", "grpc-status": "0" },
        { endStream: true },
      );
    else res.end(req.headers["content-type"] === "application/json" ? "{}" : undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, exports };
}

/** Disables the export of metrics and logs. */
function onlyTraces(): void {
  vi.stubEnv("OTEL_METRICS_EXPORTER", "none");
  vi.stubEnv("OTEL_LOGS_EXPORTER", "none");
}

async function exportOneSpan(): Promise<void> {
  trace.getTracer("test").startSpan("one").end();
  await telemetry!.shutdown();
}

describe("startTelemetry", () => {
  it("records spans of tracers that were created before it, in both builds of the API", () => {
    onlyTraces();
    const commonJs = createRequire(import.meta.url)("@opentelemetry/api") as { trace: typeof trace };
    const tracers = [trace, commonJs.trace].map((each) => each.getTracer("early"));
    telemetry = startTelemetry({ exporter: "console", spanProcessors: [] });

    expect(tracers.map((tracer) => tracer.startSpan("one").isRecording())).toEqual([true, true]);
  });

  it.each([
    ["http/protobuf", "http", "/v1/traces", "application/x-protobuf"],
    ["http/json", "http", "/v1/traces", "application/json"],
    ["grpc", "grpc", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc"],
  ] as const)("exports over %s", async (protocol, kind, path, type) => {
    onlyTraces();
    const { url, exports } = await collector(kind);
    telemetry = startTelemetry({ serviceName: "shop", protocol, endpoint: url });
    await exportOneSpan();

    expect(exports).toEqual([{ path, type }]);
  });

  it("prefers the operator's variables to the author's options", async () => {
    onlyTraces();
    const [operators, authors] = [await collector("http"), await collector("http")];
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", operators.url);
    vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    telemetry = startTelemetry({ serviceName: "shop", protocol: "http/protobuf", endpoint: authors.url });
    await exportOneSpan();

    expect(operators.exports).toEqual([{ path: "/v1/traces", type: "application/json" }]);
    expect(authors.exports).toEqual([]);
  });

  it("uses the service name of OTEL_RESOURCE_ATTRIBUTES", async () => {
    onlyTraces();
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "team=a,service.name=operators");
    const dir = vi.fn();
    vi.stubGlobal("console", { ...console, dir });
    closing.push(() => vi.unstubAllGlobals());
    telemetry = startTelemetry({ serviceName: "authors", exporter: "console" });
    await exportOneSpan();
    await vi.waitUntil(() => dir.mock.calls.length > 0);

    expect(dir.mock.calls[0]![0].resource.attributes["service.name"]).toBe("operators");
  });

  it("exports the other signals if one cannot be exported", async () => {
    const seen: string[] = [];
    const server = http.createServer((req, res) => {
      req.resume();
      res.statusCode = req.url === "/v1/traces" ? 400 : 200;
      // The failing export fails at once; the other takes longer.
      setTimeout(
        () => res.end(() => res.statusCode === 200 && seen.push(req.url!)),
        req.url === "/v1/traces" ? 0 : 100,
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(() => server.close());
    telemetry = startTelemetry({
      serviceName: "shop",
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    metrics.getMeter("test").createCounter("one").add(1);
    await exportOneSpan();

    expect(seen).toEqual(["/v1/metrics"]);
  });

  it("does not change the environment", () => {
    const before = { ...process.env };
    telemetry = startTelemetry({ serviceName: "shop", exporter: "none", endpoint: "http://127.0.0.1:1" });
    expect({ ...process.env }).toEqual(before);
  });

  it("writes to the console, with the name of the service", async () => {
    onlyTraces();
    const dir = vi.fn();
    vi.stubGlobal("console", { ...console, dir });
    closing.push(() => vi.unstubAllGlobals());
    telemetry = startTelemetry({ serviceName: "shop", exporter: "console" });
    await exportOneSpan();
    await vi.waitUntil(() => dir.mock.calls.length > 0);

    expect(dir).toHaveBeenCalledWith(
      expect.objectContaining({
        name: "one",
        resource: expect.objectContaining({ attributes: expect.objectContaining({ "service.name": "shop" }) }),
      }),
      expect.anything(),
    );
  });

  it("propagates contexts and traces with exporter none", () => {
    telemetry = startTelemetry({ serviceName: "shop", exporter: "none" });

    expect(propagation.fields()).toContain("traceparent");
    expect(run(background.setValue(Symbol.for("x"), 1), () => context.active().getValue(Symbol.for("x")))).toBe(1);
  });

  it("registers nothing with OTEL_SDK_DISABLED, and contexts work", () => {
    vi.stubEnv("OTEL_SDK_DISABLED", "true");
    telemetry = startTelemetry({ serviceName: "shop" });

    expect(propagation.fields()).toEqual([]);
    const ctx = background.setValue(Symbol.for("x"), 1);
    expect(run(ctx, current)).toBe(ctx);
  });

  it("throws if it is running already, and can be started again after shutdown", async () => {
    telemetry = startTelemetry({ serviceName: "shop", exporter: "none" });
    expect(() => startTelemetry()).toThrow("Cannot start telemetry: it is running already");
    expect(runningTelemetry()).toBe(telemetry);

    await telemetry.shutdown();
    telemetry = startTelemetry({ serviceName: "shop", exporter: "none" });
    expect(propagation.fields()).toContain("traceparent");
  });

  it("throws if another SDK is registered", () => {
    trace.setGlobalTracerProvider({ getTracer: () => trace.getTracer("other") });
    closing.push(() => trace.disable());
    expect(() => startTelemetry()).toThrow("an OpenTelemetry SDK is registered in this process already");
  });

  it("exports the spans that end before the given promise settles", async () => {
    onlyTraces();
    const { url, exports } = await collector("http");
    telemetry = startTelemetry({ serviceName: "shop", endpoint: url });
    const drained = Promise.withResolvers<void>();
    const stopped = telemetry.shutdown(drained.promise);
    await new Promise(setImmediate);
    trace.getTracer("test").startSpan("last request").end();
    expect(exports).toEqual([]);
    drained.reject(new Error("not all were in time"));
    await stopped;

    expect(exports).toHaveLength(1);
  });

  it("exports everything recorded so far at each flush", async () => {
    onlyTraces();
    const { url, exports } = await collector("http");
    telemetry = startTelemetry({ serviceName: "shop", endpoint: url });
    for (const count of [1, 2]) {
      trace.getTracer("test").startSpan("one").end();
      await telemetry.flush();
      expect(exports).toHaveLength(count);
    }
  });

  it("exports under a deadline that has passed, without deadline, trace or baggage headers", async () => {
    onlyTraces();
    const heads: http.IncomingHttpHeaders[] = [];
    const server = http.createServer((req, res) => {
      heads.push(req.headers);
      req.resume();
      res.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(() => server.close());
    vi.stubEnv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1");
    telemetry = startTelemetry({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    run(withTimeout(background, 0)[0], () => trace.getTracer("test").startSpan("one").end());
    await vi.waitUntil(() => heads.length > 0);

    expect(Object.keys(heads[0]!).filter((name) => /timeout|ttl|traceparent|baggage/.test(name))).toEqual([]);
  });

  it("shuts down within its timeout if the collector does not respond, once for two calls", async () => {
    onlyTraces();
    const silent = http.createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    closing.push(() => {
      silent.closeAllConnections();
      silent.close();
    });
    telemetry = startTelemetry({
      serviceName: "shop",
      endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      shutdownTimeout: 50,
    });
    trace.getTracer("test").startSpan("one").end();
    const from = performance.now();
    const stopped = telemetry.shutdown();

    expect(telemetry.shutdown()).toBe(stopped);
    await stopped;
    expect(performance.now() - from).toBeLessThan(2000);
  });

  it.each([
    [{ exporter: "jaeger" }, /'exporter' must be one of "otlp", "console", "none"; received string "jaeger"/],
    [{ protocol: "thrift" }, /'protocol' must be one of/],
    [{ endpoint: "localhost:4318" }, /'endpoint' must be an http or https URL; received string "localhost:4318"/],
    [{ serviceName: "" }, /'serviceName' must be a non-empty string/],
    [{ shutdownTimeout: "30d" }, /'shutdownTimeout' must be a minute at most; received string "30d"/],
    [{ shutdownTimeout: "soon" }, /'shutdownTimeout' must be zero or more/],
    [{ sampler: 1 }, /'sampler' must be a sampler of OpenTelemetry; received number 1/],
    [{ propagators: ["b3"] }, /'propagators' must be a list of propagators; received string "b3"/],
    [{ metrics: "statsd" }, /'metrics' must be one of "otlp", "console", "prometheus", "none"/],
    [{ spanProcessors: [{}] }, /'spanProcessors' must be a list of span processors; received an object of type Object/],
    [{ spanProcessors: {} }, /'spanProcessors' must be a list of span processors; received an object of type Object/],
    [
      { baggageAttributes: ["tenant", 1] },
      /'baggageAttributes' must be a list of names of baggage entries; received number 1/,
    ],
    [
      { baggageAttributes: "tenant" },
      /'baggageAttributes' must be a list of names of baggage entries; received string "tenant"/,
    ],
    [{ views: [1] }, /'views' must be a list of views of metrics; received number 1/],
    [
      { resourceDetectors: ["host"] },
      /'resourceDetectors' must be a list of resource detectors; received string "host"/,
    ],
    [{ resourceAttributes: { replicas: 3 } }, /'resourceAttributes.replicas' must be a string; received number 3/],
    [{ sampling: 1 }, /there is no option 'sampling'/],
  ])("rejects %j, and registers nothing", (options, message) => {
    expect(() => startTelemetry(options as never)).toThrow(message);
    expect(propagation.fields()).toEqual([]);
  });
});
