import { background, run, withTimeout } from "@throughline/context";
import { type CallDetails, callsOf } from "@throughline/http";
import { atEnd, cleanUpAfterEach, echo, serve, silentServer } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { Agent, fetch as undiciFetch } from "undici";
import { beforeAll, expect, it } from "vitest";

import { type ContextFetch, createFetch } from "./create-fetch.ts";

cleanUpAfterEach();
const spans = recordSpans();

// Node loads its fetch at the first call, which may take as long as the timeouts here.
beforeAll(async () => {
  await fetch("data:,");
});

/** The details of the call that a deadline ended. The call's span must have the same phase. */
async function endedCall(url: string, fetch: ContextFetch = createFetch()): Promise<CallDetails> {
  const [ctx] = withTimeout(background, 200, { source: "the test" });
  await run(ctx, async () => (await fetch(url)).text()).catch(() => {});
  const [call, ...others] = callsOf(ctx.err());
  expect(others).toEqual([]);
  const [span] = await spans.take(1);
  expect(span!.attributes["throughline.call.phase"]).toBe(call!.phase);
  return call!;
}

it("a deadline during the handshake ends the call in the phase 'connect'", async () => {
  expect(await endedCall(await silentServer())).toMatchObject({ phase: "connect", attempt: 1 });
});

it("a deadline before the head ends the call in the phase 'headers', and its details have no query", async () => {
  const { url } = await serve(() => {});
  const call = await endedCall(`${url}?token=secret`);

  expect(call).toMatchObject({ method: "GET", url, phase: "headers" });
  expect(call.elapsed).toBeGreaterThan(150);
});

it("a deadline during the body ends the call in the phase 'body'", async () => {
  const { url } = await serve((_req, res) => void res.write("begun"));
  expect(await endedCall(url)).toMatchObject({ phase: "body" });
});

it("a deadline while all connections are in use ends the call in the phase 'queue'", async () => {
  const { url } = await serve((req, res) => {
    if (req.url === "/") echo(req, res);
  });
  const dispatcher = new Agent({ connections: 1, pipelining: 1 });
  atEnd(() => dispatcher.destroy());
  const send = undiciFetch as unknown as typeof globalThis.fetch;
  const pooled: ContextFetch = (input, init) =>
    createFetch({ fetch: send })(input, { ...init, dispatcher } as unknown as RequestInit);
  await (await send(url, { dispatcher } as unknown as RequestInit)).text();
  void send(`${url}stalls`, { dispatcher } as unknown as RequestInit).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 20));

  expect(await endedCall(url, pooled)).toMatchObject({ phase: "queue" });
});

it("the error has the details of up to 16 calls that ended with it", async () => {
  const { url } = await serve(() => {});
  const [ctx] = withTimeout(background, 500);
  const fetch = createFetch();
  await run(ctx, () => Promise.allSettled(Array.from({ length: 20 }, (_, index) => fetch(`${url}${index}`))));

  expect(callsOf(ctx.err()).length).toBe(16);
  expect(new Set(callsOf(ctx.err()).map((call) => call.url)).size).toBe(16);
});
