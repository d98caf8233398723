import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { createKey, current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import { createFetch } from "@throughline/fetch";
import { propagateValue, textCodec } from "@throughline/http";
import { RetryBudget, sleep } from "@throughline/resilience";
import express from "express";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const FOLDER = "examples/collector";

function read(file: string): unknown {
  return parse(readFileSync(join(FOLDER, file), "utf8"), { strict: true, uniqueKeys: true });
}

interface Compose {
  readonly services: Record<
    string,
    {
      readonly image: string;
      readonly profiles: string[];
      readonly volumes?: string[];
      readonly ports?: string[];
      readonly extra_hosts?: string[];
      readonly networks?: { readonly default: { readonly aliases: string[] } };
    }
  >;
  readonly volumes: object;
}

interface Collector {
  readonly receivers: { readonly otlp: { readonly protocols: Record<string, { readonly endpoint: string }> } };
  readonly processors: Record<string, unknown>;
  readonly exporters: Record<string, { readonly endpoint: string }>;
  readonly service: { readonly pipelines: Record<string, Record<"receivers" | "processors" | "exporters", string[]>> };
}

/**
 * Lets a service record all its metrics, and names them as the Collector's Prometheus exporter does: dots become
 * underscores, and the unit and the kind are appended.
 */
async function recordedMetrics(): Promise<{ names: Set<string>; labels: Set<string> }> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  try {
    const app = express();
    app.use(requestContext({ maxTimeout: "30ms", invalidDeadline: "ignore" }));
    app.get("/", (_req, res) => void res.send("ok"));
    app.get("/overloaded", (_req, res) => void res.status(503).send("overloaded"));
    app.get("/slow", async () => sleep(current(), "5s"));
    app.use(errorHandler());
    propagateValue(createKey<string>("tenant"), { name: "x-shop-tenant", codec: textCodec, maxBytes: 8, as: "header" });
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1, name: url });
    const call = createFetch({ retry: { backoff: { base: 1, max: 1 }, budget: () => budget } });
    for (const [path, headers] of [
      ["/", { "grpc-timeout": "soon" }],
      ["/", { "x-shop-tenant": "a" }],
      ["/slow", {}],
      ["/overloaded", {}],
    ] as const) {
      await (await call(url + path, { headers })).text();
    }
    server.closeAllConnections();
    server.close();
    await reader.forceFlush();
    const all = exporter.getMetrics().flatMap((each) => each.scopeMetrics.flatMap((scope) => scope.metrics));
    return {
      names: new Set(all.flatMap(prometheusNames)),
      labels: new Set(
        all.flatMap(({ dataPoints }) =>
          dataPoints.flatMap(({ attributes }) => Object.keys(attributes).map((key) => key.replaceAll(".", "_"))),
        ),
      ),
    };
  } finally {
    metrics.disable();
    await provider.shutdown();
  }
}

function prometheusNames({ descriptor, dataPointType }: MetricData): string[] {
  const unit = descriptor.unit === "s" ? "_seconds" : "";
  const name = descriptor.name.replaceAll(".", "_") + unit;
  return dataPointType === DataPointType.HISTOGRAM
    ? [`${name}_bucket`, `${name}_count`, `${name}_sum`]
    : [`${name}_total`];
}

describe("the files for a Collector", () => {
  const compose = read("compose.yaml") as Compose;
  const collector = read("collector.yaml") as Collector;
  const services = Object.entries(compose.services);

  it("reference defined components in each pipeline, with the memory limiter first", () => {
    for (const pipeline of Object.values(collector.service.pipelines)) {
      for (const kind of ["receivers", "processors", "exporters"] as const) {
        expect(Object.keys(collector[kind])).toEqual(expect.arrayContaining(pipeline[kind]));
      }
      expect(pipeline.processors[0]).toBe("memory_limiter");
    }
  });

  it("mount existing files and declared volumes", () => {
    for (const source of services.flatMap(([, { volumes = [] }]) => volumes.map((each) => each.split(":")[0]!))) {
      if (source.startsWith("./")) expect(existsSync(join(FOLDER, source))).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it("publish ports on loopback only and use images with fixed versions", () => {
    for (const [, { image, ports = [] }] of services) {
      expect(image).toMatch(/:\d+\.\d+\.\d+$/);
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  it("receive on the published ports and export to one service in each profile", () => {
    const inside = Object.values(collector.receivers.otlp.protocols).map(({ endpoint }) => endpoint.split(":")[1]);
    const published = compose.services["collector"]!.ports!.map((port) => port.split(":")[2]);
    expect(published).toEqual(inside);

    const host = collector.exporters["otlp/traces"]!.endpoint.split(":")[0]!;
    for (const profile of compose.services["collector"]!.profiles) {
      const receivers = services.filter(
        ([, { profiles, networks }]) => profiles.includes(profile) && networks?.default.aliases.includes(host),
      );
      expect(receivers).toHaveLength(1);
    }
  });

  it("resolve the address of a viewer on this machine, and serve metrics", () => {
    expect(compose.services["collector"]!.extra_hosts).toEqual(["host.docker.internal:host-gateway"]);
    expect(collector.service.pipelines["metrics"]!.exporters).toEqual(["prometheus"]);
  });

  it("ask for metrics and attributes that a service records", async () => {
    const recorded = await recordedMetrics();
    const texts = [
      readFileSync(join(FOLDER, "dashboard.json"), "utf8"),
      readFileSync(join(FOLDER, "alerts.yaml"), "utf8"),
    ];
    const asked = new Set(
      texts.flatMap((text) => text.match(/\b(?:throughline|http)_\w+_(?:total|bucket|count|sum)\b/g)!),
    );
    expect(asked.size).toBeGreaterThan(5);
    expect([...asked].filter((name) => !recorded.names.has(name))).toEqual([]);
    const labels = new Set(
      texts.flatMap((text) => text.match(/\bthroughline_(?:ended_by|deadline_source|retry_\w+)\b/g)!),
    );
    for (const label of [...labels, "header", "name", "reason"]) expect(recorded.labels).toContain(label);
  });

  it.each(["tempo.yaml", "grafana.yaml", "alerts.yaml", "dashboard.json"])("%s is valid YAML", (file) => {
    expect(Object.keys(read(file) as object).length).toBeGreaterThan(0);
  });
});
