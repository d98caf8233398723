import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { metrics, propagation, ROOT_CONTEXT, type TextMapPropagator, trace, diag } from "@opentelemetry/api";
import { AggregationType } from "@opentelemetry/sdk-metrics";
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it, type Mock, vi } from "vitest";

import { startTelemetry, type Telemetry } from "./start-telemetry.ts";

let telemetry: Telemetry | undefined;
const closing: (() => void)[] = [];

afterEach(async () => {
  await telemetry?.shutdown();
  telemetry = undefined;
  for (const close of closing.splice(0)) close();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Starts a collector that responds with this status, and records the bodies. */
async function collector(status = 200): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = [];
  const server = http.createServer(async (req, res) => {
    bodies.push((await req.setEncoding("utf8").toArray()).join(""));
    res.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}

function valuesOf(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));
}

/** The spans of one export. */
function spansOf(body: string): object[] {
  const { resourceSpans } = JSON.parse(body) as {
    resourceSpans: { scopeSpans: { spans: { name: string; attributes: KeyValue[] }[] }[] }[];
  };
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  return spans.map(({ name, attributes }) => ({ name, attributes: valuesOf(attributes) }));
}

/** Disables the export of metrics and logs. */
function onlyTraces(): void {
  vi.stubEnv("OTEL_METRICS_EXPORTER", "none");
  vi.stubEnv("OTEL_LOGS_EXPORTER", "none");
}

/** Sets a logger of the application for OpenTelemetry's own messages. */
function logger(): { warn: Mock; error: Mock } {
  const own = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn(), verbose: vi.fn() };
  diag.setLogger(own);
  closing.push(() => diag.disable());
  return own;
}

describe("metrics", () => {
  it("are served for Prometheus with the option metrics", async () => {
    const free = http.createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    vi.stubEnv("OTEL_EXPORTER_PROMETHEUS_PORT", `${port}`);
    vi.stubEnv("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1");
    telemetry = startTelemetry({ exporter: "none", metrics: "prometheus" });
    metrics.getMeter("test").createCounter("lamps").add(3);

    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toMatch(/^lamps_total\{.*\} 3$/m);
  });
});

describe("spans that are not exported", () => {
  it("are logged and counted if they are dropped", async () => {
    const { url, bodies } = await collector();
    const { warn } = logger();
    vi.stubEnv("OTEL_BSP_MAX_QUEUE_SIZE", "2");
    vi.stubEnv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2");
    vi.stubEnv("OTEL_LOGS_EXPORTER", "none");
    telemetry = startTelemetry({ endpoint: url, protocol: "http/json" });
    const tracer = trace.getTracer("test");
    for (let spans = 0; spans < 10; spans++) tracer.startSpan("one").end();
    await telemetry.flush();
    tracer.startSpan("one more").end();
    expect(warn.mock.calls.flat().join()).toMatch(/Dropped [1-9]\d* spans because maxQueueSize reached/);
    await telemetry.shutdown();

    const metricsSent = bodies.filter((body) => body.includes("resourceMetrics")).join();
    expect(metricsSent).toContain("otel.sdk.processor.span.processed");
    expect(metricsSent).toContain("queue_full");
  });

  it("are logged if the collector rejects them", async () => {
    const { error } = logger();
    vi.stubEnv("OTEL_METRICS_EXPORTER", "none");
    vi.stubEnv("OTEL_LOGS_EXPORTER", "none");
    telemetry = startTelemetry({ endpoint: (await collector(400)).url });
    trace.getTracer("test").startSpan("one").end();
    await telemetry.flush();
    expect(error.mock.calls.flat().join()).toMatch(/Bad Request|400/);
  });

  it("are logged by the logger that the application has set, which stays set after shutdown", async () => {
    const { warn } = logger();
    telemetry = startTelemetry({ exporter: "none" });
    diag.warn("still here");
    await telemetry.shutdown();
    diag.warn("and after");
    expect(warn.mock.calls).toEqual(expect.arrayContaining([["still here"], ["and after"]]));
  });
});

describe("the option", () => {
  const tenantPropagator: TextMapPropagator<Record<string, string>> = {
    inject: (_ctx, carrier) => void (carrier["x-tenant"] = "acme"),
    extract: (ctx) => ctx,
    fields: () => ["x-tenant"],
  };

  it("propagators adds to those of OTEL_PROPAGATORS", () => {
    vi.stubEnv("OTEL_PROPAGATORS", "b3");
    telemetry = startTelemetry({ exporter: "none", propagators: [tenantPropagator] });
    expect(propagation.fields().toSorted()).toEqual(["b3", "x-tenant"]);
    const carrier: Record<string, string> = {};
    propagation.inject(ROOT_CONTEXT, carrier);
    expect(carrier).toEqual({ "x-tenant": "acme" });
  });

  it("sampler decides, unless OTEL_TRACES_SAMPLER is set", async () => {
    telemetry = startTelemetry({ exporter: "console", metrics: "none", sampler: new AlwaysOffSampler() });
    expect(trace.getTracer("test").startSpan("one").isRecording()).toBe(false);
    await telemetry.shutdown();

    vi.stubEnv("OTEL_TRACES_SAMPLER", "always_on");
    telemetry = startTelemetry({ exporter: "console", metrics: "none", sampler: new AlwaysOffSampler() });
    expect(trace.getTracer("test").startSpan("one").isRecording()).toBe(true);
  });

  it("spanProcessors adds to the one that exports, and they receive the parent contexts", async () => {
    onlyTraces();
    const { url, bodies } = await collector();
    const seen: string[] = [];
    const key = Symbol.for("tenant");
    telemetry = startTelemetry({
      endpoint: url,
      protocol: "http/json",
      spanProcessors: [
        {
          onStart: (span, parent) => {
            seen.push(`start ${String(parent.getValue(key))}`);
            span.setAttribute("added", true);
          },
          onEnd: (span) => void seen.push(`end ${span.name} ${String(span.ended)}`),
          forceFlush: async () => void seen.push("flush"),
          shutdown: async () => void seen.push("shutdown"),
        },
      ],
    });
    const span = trace.getTracer("test").startSpan("one", {}, ROOT_CONTEXT.setValue(key, "acme"));
    span.end();
    span.end();
    await telemetry.flush();
    await telemetry.shutdown();

    expect(seen).toEqual(["start acme", "end one true", "flush", "shutdown"]);
    expect(bodies.join()).toContain('"key":"added"');
  });

  it("spanProcessors receive spans that are not exported", async () => {
    const onEnd = vi.fn();
    const settled = (): Promise<void> => Promise.resolve();
    telemetry = startTelemetry({
      exporter: "none",
      spanProcessors: [{ onStart: () => {}, onEnd, forceFlush: settled, shutdown: settled }],
    });
    trace.getTracer("test").startSpan("one").end();
    expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ name: "one" }));
  });

  it("baggageAttributes copies listed entries of baggage onto spans when they start", async () => {
    onlyTraces();
    const { url, bodies } = await collector();
    telemetry = startTelemetry({
      endpoint: url,
      protocol: "http/json",
      baggageAttributes: ["tenant", "absent", "own"],
    });
    const baggage = propagation.createBaggage({
      tenant: { value: "acme" },
      secret: { value: "not listed" },
      own: { value: "stranger's" },
    });
    const ctx = propagation.setBaggage(ROOT_CONTEXT, baggage);
    trace
      .getTracer("test")
      .startSpan("one", { attributes: { own: "span's" } }, ctx)
      .end();
    trace.getTracer("test").startSpan("without baggage", {}, ROOT_CONTEXT).end();
    await telemetry.shutdown();

    expect(bodies.flatMap(spansOf)).toEqual([
      { name: "one", attributes: { tenant: "acme", own: "span's" } },
      { name: "without baggage", attributes: {} },
    ]);
  });

  it("views changes the names and buckets of metrics", async () => {
    vi.stubEnv("OTEL_TRACES_EXPORTER", "none");
    vi.stubEnv("OTEL_LOGS_EXPORTER", "none");
    const { url, bodies } = await collector();
    telemetry = startTelemetry({
      endpoint: url,
      protocol: "http/json",
      views: [
        {
          instrumentName: "wait",
          name: "wait.renamed",
          aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [1, 2] } },
        },
      ],
    });
    metrics.getMeter("test").createHistogram("wait").record(1);
    await telemetry.shutdown();

    expect(bodies.join()).toContain('"name":"wait.renamed"');
    expect(bodies.join()).toContain('"explicitBounds":[1,2]');
  });
});

describe("the resource", () => {
  /** The resource attributes of an export. */
  async function sent(options: Parameters<typeof startTelemetry>[0]): Promise<Record<string, unknown>> {
    onlyTraces();
    const { url, bodies } = await collector();
    telemetry = startTelemetry({ endpoint: url, protocol: "http/json", ...options });
    trace.getTracer("test").startSpan("one").end();
    await telemetry.shutdown();
    const { resourceSpans } = JSON.parse(bodies[0]!) as { resourceSpans: { resource: { attributes: KeyValue[] } }[] };
    return valuesOf(resourceSpans[0]!.resource.attributes);
  }

  const authors = { serviceName: "shop", resourceAttributes: { team: "authors", tier: "gold" } };

  it("has the detected attributes, replaced by the author's, replaced by the operator's", async () => {
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "team=operators");
    const { resourceAttributes } = authors;
    const attributes = await sent({ ...authors, resourceAttributes: { ...resourceAttributes, "host.name": "own" } });
    expect(attributes).toMatchObject({
      team: "operators",
      tier: "gold",
      "host.name": "own",
      "service.name": "shop",
      "telemetry.sdk.name": "opentelemetry",
      "process.pid": process.pid,
    });
  });

  it("has the author's attributes with detectors of the author's choice", async () => {
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "tier=operators");
    const detector = {
      detect: () => ({ attributes: { found: "here", team: "detected", "service.name": "detected" } }),
    };
    const attributes = await sent({ ...authors, resourceDetectors: [detector] });
    expect(attributes).toMatchObject({ found: "here", team: "authors", tier: "operators", "service.name": "shop" });
    expect(attributes).not.toHaveProperty("process.pid");
  });

  it("has the author's attributes with detectors of the operator's choice", async () => {
    vi.stubEnv("OTEL_NODE_RESOURCE_DETECTORS", "host");
    const attributes = await sent(authors);
    expect(attributes).toMatchObject({ team: "authors", "service.name": "shop", "host.name": hostname() });
    expect(attributes).not.toHaveProperty("process.pid");
  });

  it("has the author's attributes if the variables cannot be parsed", async () => {
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "env=prod,broken");
    expect(await sent(authors)).toMatchObject({ team: "authors", "service.name": "shop" });
  });

  it("keeps values of any length and with any characters", async () => {
    const team = `${"x".repeat(300)}, "ä"=;`;
    expect(await sent({ resourceAttributes: { team } })).toMatchObject({ team });
  });

  it.each(["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"])("has the service name that %s sets", async (variable) => {
    vi.stubEnv(variable, variable === "OTEL_SERVICE_NAME" ? "operators" : "service.name=operators");
    const detector = { detect: () => ({ attributes: { "service.name": "detected" } }) };
    expect(await sent({ ...authors, resourceDetectors: [detector] })).toMatchObject({ "service.name": "operators" });
  });
});

describe("a file of declarative configuration", () => {
  function file(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), "telemetry-"));
    closing.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "otel.yaml");
    writeFileSync(path, text);
    vi.stubEnv("OTEL_CONFIG_FILE", path);
    return path;
  }

  it("configures the SDK", async () => {
    const { url, bodies } = await collector();
    file(`
file_format: "1.0"
log_level: error
resource:
  attributes:
    - name: service.name
      value: from-a-file
propagator:
  composite:
    - tracecontext:
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_http:
            endpoint: ${url}/v1/traces
            encoding: json
`);
    telemetry = startTelemetry({ serviceName: "from-code" });
    trace.getTracer("test").startSpan("one").end();
    await telemetry.shutdown();
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toContain("from-a-file");
  });

  it("that cannot be used throws, and registers nothing", () => {
    const path = file("file_format: 7");
    expect(() => startTelemetry()).toThrow(
      `Cannot start telemetry: OTEL_CONFIG_FILE must name a file of OpenTelemetry's declarative configuration; received "${path}"`,
    );
    vi.stubEnv("OTEL_CONFIG_FILE", "/nowhere/otel.yaml");
    expect(() => startTelemetry()).toThrow(/received "\/nowhere\/otel.yaml"/);
    expect(propagation.fields()).toEqual([]);
  });
});
