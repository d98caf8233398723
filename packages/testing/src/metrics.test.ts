import { metrics } from "@opentelemetry/api";
import { current } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import { afterEach, expect, it } from "vitest";

import { runWithClock } from "./clock.ts";
import { inContext } from "./in-context.ts";
import { recordMetrics, type RecordedMetrics } from "./metrics.ts";
import { peer } from "./peer.ts";

let recorded: RecordedMetrics | undefined;
afterEach(() => recorded?.stop());

it("records what ended the requests of a peer, and how long they took", () =>
  runWithClock((clock) =>
    inContext({ timeout: "2s" }, async () => {
      recorded = recordMetrics();
      const stock = peer("http://stock.internal", async (request) => {
        if (request.url.endsWith("/slow")) await sleep(current(), "3s");
        return new Response();
      });
      const fetch = createFetch({ fetch: stock.fetch });
      for (const path of ["fast", "fast", "slow"]) {
        const response = fetch(`http://stock.internal/${path}`);
        if (path === "slow") await clock.advance("2s");
        await (await response).text();
      }
      await clock.settle();

      const name = "throughline.server.requests";
      expect(await recorded.total(name)).toBe(3);
      expect(await recorded.total(name, { "throughline.ended_by": "deadline" })).toBe(1);
      expect(await recorded.total(name, { "throughline.ended_by": "response" })).toBe(2);
      expect(await recorded.total(name, { "throughline.ended_by": "client" })).toBe(0);
      expect(await recorded.total("http.server.request.duration", { "http.response.status_code": 200 })).toBe(2);
    }),
  ));

it("returns the series of counters, gauges and histograms", async () => {
  recorded = recordMetrics();
  const meter = metrics.getMeter("app");
  const counter = meter.createCounter("orders");
  counter.add(2, { shop: "a" });
  counter.add(3, { shop: "a" });
  counter.add(4, { shop: "b" });
  meter.createGauge("queue").record(7);
  const histogram = meter.createHistogram("weight");
  histogram.record(1.5);
  histogram.record(2.5);

  expect(await recorded.series("orders")).toEqual([
    { attributes: { shop: "a" }, value: 5, count: undefined },
    { attributes: { shop: "b" }, value: 4, count: undefined },
  ]);
  expect(await recorded.series("queue")).toEqual([{ attributes: {}, value: 7, count: undefined }]);
  expect(await recorded.series("weight")).toEqual([{ attributes: {}, value: 4, count: 2 }]);
  expect([await recorded.total("orders"), await recorded.total("weight")]).toEqual([9, 2]);
  expect([await recorded.series("unknown"), await recorded.total("unknown")]).toEqual([[], 0]);
});

it("stops, and can be started again without what was measured before; two at once are refused", async () => {
  recorded = recordMetrics();
  expect(() => recordMetrics()).toThrow("Cannot record metrics: a meter provider is registered already");
  metrics.getMeter("app").createCounter("orders").add(1);
  recorded.stop();
  recorded.stop();
  metrics.getMeter("app").createCounter("orders").add(1);
  recorded = recordMetrics();
  metrics.getMeter("app").createCounter("orders").add(1);
  expect(await recorded.total("orders")).toBe(1);
});
