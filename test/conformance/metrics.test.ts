import { current } from "@throughline/context";
import { sleep } from "@throughline/resilience";
import type { RecordedSeries } from "@throughline/testing/metrics";
import { describe, expect, it, vi } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { measureDuringEach } from "../support/measurements.ts";

describe.each(hosts)("the metrics of $name", (host) => {
  const { answer, abandon } = serveOn(host);
  const series = measureDuringEach();

  /** The first series of an instrument. A request is recorded shortly after its response. */
  async function settled(name: string): Promise<RecordedSeries> {
    await vi.waitUntil(async () => (await series(name)).length > 0);
    return (await series(name))[0]!;
  }

  it("record http.server.request.duration with the attributes of the semantic conventions", async () => {
    await answer({});

    const { attributes, count, value } = await settled("http.server.request.duration");
    expect(attributes).toMatchObject({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.scheme": host.isSecure ? "https" : "http",
      ...(host.hasRoutes ? { "http.route": "/items/:id" } : undefined),
    });
    expect(count).toBe(1);
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(5);
  });

  it("record the remaining time on arrival and its source", async () => {
    await answer({ "grpc-timeout": "2S" });

    expect(await settled("throughline.server.deadline.remaining")).toMatchObject({
      attributes: { "throughline.deadline.source": "grpc-timeout header" },
      value: 2,
    });
  });

  it("count what ended requests, and record how late exceeded deadlines were", async () => {
    await answer({ "grpc-timeout": "20m" }, {}, async () => {
      await sleep(current(), "10s");
      return "too late";
    });

    const attributes = { "throughline.deadline.source": "grpc-timeout header" };
    expect(await settled("throughline.server.requests")).toMatchObject({
      attributes: { ...attributes, "throughline.ended_by": "deadline" },
      value: 1,
    });
    expect(await settled("throughline.server.deadline.exceeded")).toMatchObject({ attributes, count: 1 });
    expect((await settled("http.server.request.duration")).attributes["error.type"]).toBe("DEADLINE_EXCEEDED");
  });

  it("count a disconnect, and record no status for it", async () => {
    await abandon();

    expect((await settled("throughline.server.requests")).attributes).toEqual({ "throughline.ended_by": "client" });
    expect((await settled("http.server.request.duration")).attributes).not.toHaveProperty("http.response.status_code");
  });

  it("count invalid deadlines", async () => {
    await answer({ "grpc-timeout": "soon" });

    expect(await settled("throughline.deadline.invalid")).toMatchObject({
      attributes: { header: "grpc-timeout" },
      value: 1,
    });
    expect((await settled("throughline.server.requests")).attributes).toEqual({ "throughline.ended_by": "refusal" });
  });
});
