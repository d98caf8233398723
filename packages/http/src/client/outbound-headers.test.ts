import { background, createKey, DeadlineExceeded, withCancel, withTimeout, withValue } from "@throughline/context";
import { withCriticality } from "@throughline/resilience/internal";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { textCodec } from "../wire/codec.ts";
import { contextTtl } from "../wire/dialects.ts";
import { propagateValue } from "../wire/propagated-values.ts";
import { outboundHeaders } from "./outbound-headers.ts";

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "outbound-tenant", codec: textCodec, maxBytes: 64, as: "header" });

describe("outboundHeaders", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it("returns no headers for a context with nothing to propagate", () => {
    expect(outboundHeaders(background, "http://next.example/")).toEqual({});
  });

  it("returns the remaining time and the criticality", () => {
    const [ctx] = withTimeout(withCriticality(background, "sheddable"), "2s");
    vi.advanceTimersByTime(500);

    expect(outboundHeaders(ctx, new URL("http://next.example/"))).toEqual({
      "grpc-timeout": "1499m",
      "throughline-criticality": "sheddable",
    });
  });

  it("applies the options", () => {
    const [ctx] = withTimeout(background, "2s");
    const options = { dialect: contextTtl, margin: "100ms" } as const;
    expect(outboundHeaders(ctx, "http://next.example/", options)).toEqual({ "context-ttl-ms": "1900" });
    expect(outboundHeaders(ctx, "http://next.example/", options)).toEqual({ "context-ttl-ms": "1900" });
  });

  it("returns propagated values only for the allowed origins", () => {
    const ctx = withValue(background, tenantKey, "acme");
    const options = { origins: ["https://*.shop.internal"] };
    expect(outboundHeaders(ctx, "https://stock.shop.internal/", options)).toEqual({ "outbound-tenant": "acme" });
    expect(outboundHeaders(ctx, "https://foreign.example/", options)).toEqual({});
  });

  it("throws if the context has ended or too little time is left", () => {
    const [canceled, cancel] = withCancel(background);
    cancel();
    expect(() => outboundHeaders(canceled, "http://next.example/")).toThrow(canceled.err());
    const [late] = withTimeout(background, 1);
    expect(() => outboundHeaders(late, "http://next.example/")).toThrow(DeadlineExceeded);
  });
});

it.each([
  [[undefined, "http://x/"], /it needs a Context as its first argument/],
  [[background, "/relative"], /'url' must be an absolute URL; received string "\/relative"/],
  [[background, "http://x/", { margin: "soon" }], /'margin' must be/],
  [[background, "http://x/", { origin: [] }], /there is no option 'origin'/],
])("rejects invalid arguments: %#", (args, message) => {
  expect(() => outboundHeaders(...(args as Parameters<typeof outboundHeaders>))).toThrow(message);
});
