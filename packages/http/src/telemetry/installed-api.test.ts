import { once } from "node:events";

import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { afterEach, describe, expect, it, vi } from "vitest";

import { requestContext } from "../index.ts";

cleanUpAfterEach();

const API = Symbol.for("opentelemetry.js.api.1");
const shared = globalThis as { [API]?: object };

afterEach(() => {
  for (const api of [context, trace]) api.disable();
  delete shared[API];
});

const isCarried = (): boolean => {
  const marked = ROOT_CONTEXT.setValue(API, true);
  return context.with(marked, () => context.active()) === marked;
};

describe("an SDK without a context manager", () => {
  it("gets one when request middleware is made", () => {
    trace.setGlobalTracerProvider(new TracerProvider());
    expect(isCarried()).toBe(false);
    requestContext(() => {});
    expect(isCarried()).toBe(true);
  });

  it("gets one that keeps the context across await and binds functions", async () => {
    trace.setGlobalTracerProvider(new TracerProvider());
    requestContext(() => {});
    const ctx = ROOT_CONTEXT.setValue(API, 1);
    const active = await context.with(ctx, async () => {
      await null;
      return context.active();
    });
    expect(active).toBe(ctx);
    const bound = context.bind(ctx, function (this: unknown, value: number) {
      return [this, value, context.active()];
    });
    const receiver = {};
    expect(bound.call(receiver, 1)).toEqual([receiver, 1, ctx]);
    expect(context.active()).toBe(ROOT_CONTEXT);
  });
});

describe("a process without an SDK", () => {
  it("gets no context manager, so that an SDK can set up its own later", () => {
    requestContext(() => {});
    expect(isCarried()).toBe(false);
  });
});

describe("an SDK that was set up with an older copy of the OpenTelemetry API", () => {
  it("causes one warning per process, which names both versions", async () => {
    shared[API] = { version: "1.8.0", trace: new TracerProvider() };
    const emitWarning = vi.spyOn(process, "emitWarning");
    const warned = once(process, "warning") as Promise<[Error]>;
    const { url } = await serve(requestContext((_req, res) => void res.end()));
    for (let i = 0; i < 3; i++) expect((await fetch(url)).status).toBe(200);
    const [{ name, message }] = await warned;
    expect(name).toBe("ThroughlineWarning");
    expect(message).toMatch(/@opentelemetry\/api 1\.8\.0, but @throughline\/http has loaded 1\.\d+\.\d+,/);
    expect(emitWarning).toHaveBeenCalledOnce();
  });
});
