import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { current } from "@throughline/context";
import { sleep } from "@throughline/resilience";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { send } from "../support/client.ts";
import { serveOn } from "../support/serving.ts";
import { hosts } from "./hosts/index.ts";

/** One series: the attributes that it has, and what was measured. */
interface Series {
  readonly attributes: Record<string, unknown>;
  readonly count: number;
  readonly sum: number | undefined;
}

describe.each(hosts)("$name, measured", (host) => {
  const { serving, answer } = serveOn(host);
  let exporter: InMemoryMetricExporter;
  let provider: MeterProvider;

  beforeEach(() => {
    exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
    metrics.setGlobalMeterProvider(provider);
  });
  afterEach(async () => {
    metrics.disable();
    await provider.shutdown();
  });

  async function series(name: string): Promise<Series[]> {
    exporter.reset();
    await provider.forceFlush();
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    return all
      .filter((metric) => metric.descriptor.name === name)
      .flatMap((metric) =>
        metric.dataPoints.map(({ attributes, value }) =>
          typeof value === "number"
            ? { attributes, count: value, sum: undefined }
            : { attributes, count: (value as { count: number }).count, sum: (value as { sum?: number }).sum },
        ),
      );
  }

  /** What is told once a request is over, which may be a moment after its answer. */
  async function settled(name: string): Promise<Series> {
    await vi.waitUntil(async () => (await series(name)).length > 0);
    return (await series(name))[0]!;
  }

  it("tells how long requests take, as the conventions want it", async () => {
    await answer({});

    const { attributes, count, sum } = await settled("http.server.request.duration");
    expect(attributes).toMatchObject({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.scheme": host.isSecure ? "https" : "http",
      ...(host.hasRoutes ? { "http.route": "/items/:id" } : undefined),
    });
    expect(count).toBe(1);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(5);
  });

  it("tells what was left on arrival, and who said so", async () => {
    await answer({ "grpc-timeout": "2S" });

    expect(await settled("throughline.server.deadline.remaining")).toMatchObject({
      attributes: { "throughline.deadline.source": "grpc-timeout header" },
      sum: 2,
    });
  });

  it("tells what ended requests, and by how much those were late that their deadline ended", async () => {
    await answer({ "grpc-timeout": "20m" }, {}, async () => {
      await sleep(current(), "10s");
      return "too late";
    });

    const attributes = { "throughline.deadline.source": "grpc-timeout header" };
    expect(await settled("throughline.server.requests")).toMatchObject({
      attributes: { ...attributes, "throughline.ended_by": "deadline" },
      count: 1,
    });
    expect(await settled("throughline.server.deadline.exceeded")).toMatchObject({ attributes, count: 1 });
    expect((await settled("http.server.request.duration")).attributes["error.type"]).toBe("DEADLINE_EXCEEDED");
  });

  it("tells of a client that left, and makes up no status for it", async () => {
    let isRunning = false;
    const url = await serving(async () => {
      isRunning = true;
      await sleep(current(), "10s");
      return "nobody reads this";
    });
    const sent = send(host.protocol, url);
    sent.reply.catch(() => {});
    await vi.waitUntil(() => isRunning);
    sent.leave();

    expect((await settled("throughline.server.requests")).attributes).toEqual({ "throughline.ended_by": "client" });
    expect((await settled("http.server.request.duration")).attributes).not.toHaveProperty("http.response.status_code");
  });

  it("tells of deadlines that cannot be read", async () => {
    await answer({ "grpc-timeout": "soon" });

    expect(await settled("throughline.deadline.invalid")).toMatchObject({
      attributes: { header: "grpc-timeout" },
      count: 1,
    });
    expect((await settled("throughline.server.requests")).attributes).toEqual({ "throughline.ended_by": "refusal" });
  });
});
