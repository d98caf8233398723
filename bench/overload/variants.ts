// How a service of each variant receives, calls and waits. A service is the same Express application in all of them.
import { type Context, current } from "@throughline/context";
import { requestContext } from "@throughline/express";
import { createFetch, type FetchOptions } from "@throughline/fetch";
import type { AdmissionOptions } from "@throughline/http";
import { hedge, Percentile, Semaphore, sleep } from "@throughline/resilience";
import timeout from "connect-timeout";
import type { Request, RequestHandler } from "express";

import { FirstComePool } from "./first-come-pool.ts";

/** The size of the store's pool. With more, two cores are busy with the connections of clients that leave. */
export const PLACES = 1;

/** How long a client waits for an answer, in milliseconds. */
export const PATIENCE = 500;

/** The timeout of every hop where nobody has thought about one. */
const USUAL_TIMEOUT = 30_000;

/** One way to build the services. */
export interface Variant {
  readonly middleware: readonly RequestHandler[];
  /** Calls the next service. */
  call(url: string, req: Request): Promise<Response>;
  /** Waits for a place in the pool, and works for so many milliseconds. */
  work(ms: number, req: Request): Promise<unknown>;
}

export type MakeVariant = () => Variant;

export const VARIANTS: Readonly<Record<string, MakeVariant>> = {
  "plain, timeouts of 30 s": () => withSignal(() => AbortSignal.timeout(USUAL_TIMEOUT)),
  "plain, with 3 attempts": () => {
    const plain = withSignal(() => AbortSignal.timeout(USUAL_TIMEOUT));
    return { ...plain, call: (url, req) => threeAttempts(() => plain.call(url, req)) };
  },
  "AbortSignal by hand": () => withSignal(signalOf),
  "connect-timeout": () => {
    const pool = new FirstComePool(PLACES);
    return {
      middleware: [timeout(PATIENCE) as unknown as RequestHandler],
      call: (url, req) => fetch(url, { headers: headersOf(req) }),
      work: (ms) => pool.work(ms),
    };
  },
  "ours: deadlines": () => ours(),
  "ours: deadlines, a pool of others": () => withForeignPool(),
  "ours: admission adaptive, a pool of others": () => withForeignPool("adaptive"),
  "ours: admission adaptive": () => ours({ admission: "adaptive" }),
  "ours: admission by a number": () => ours({ admission: { concurrency: PLACES * 2 } }),
  "plain, computing": () => ({ ...VARIANTS["plain, timeouts of 30 s"]!(), work: compute }),
  "ours: admission adaptive, computing": () => ({ ...ours({ admission: "adaptive" }), work: compute }),
  "ours: retries with a budget": () => ours({ admission: "adaptive", retry: true }),
  "ours: retries without a budget": () => ours({ admission: "adaptive", retry: { budget: "none" } }),
  "ours: hedged calls": () => ours({ admission: "adaptive", isHedged: true }),
};

/** Uses the CPU as long as a place of the pool would be held, divided by the places: the capacity is the same. */
async function compute(ms: number): Promise<void> {
  const end = performance.now() + ms / PLACES;
  while (performance.now() < end);
}

interface Ours {
  readonly admission?: AdmissionOptions | "adaptive";
  readonly retry?: FetchOptions["retry"];
  readonly isHedged?: boolean;
}

function ours({ admission, retry = false, isHedged = false }: Ours = {}): Variant {
  const pool = new Semaphore(PLACES);
  const fetch = createFetch({ retry });
  const delay = new Percentile(0.95);
  return {
    middleware: [requestContext({ maxTimeout: PATIENCE, ...(admission && { admission }) })],
    call: (url, req) => {
      const init = { headers: headersOf(req) };
      return isHedged ? hedge(current(), (ctx) => fetch(url, { ...init, ctx }), { delay }) : fetch(url, init);
    },
    async work(ms) {
      const ctx: Context = current();
      using _ = await pool.acquire(ctx);
      await sleep(ctx, ms);
    },
  };
}

/** A pool that knows no contexts: what waits in it goes on waiting. */
function withForeignPool(admission?: "adaptive"): Variant {
  const pool = new FirstComePool(PLACES);
  return { ...ours({ ...(admission && { admission }) }), work: (ms) => pool.work(ms) };
}

function withSignal(signalFor: (req: Request) => AbortSignal): Variant {
  const pool = new FirstComePool(PLACES);
  return {
    middleware: [],
    call: (url, req) => fetch(url, { headers: headersOf(req), signal: signalFor(req) }),
    work: (ms, req) => pool.work(ms, signalFor(req)),
  };
}

/** Ends with the client, or when it has certainly lost its patience. */
function signalOf(req: Request): AbortSignal {
  const left = new AbortController();
  req.res!.once("close", () => left.abort());
  return AbortSignal.any([left.signal, AbortSignal.timeout(PATIENCE)]);
}

async function threeAttempts(call: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await call().catch((error: unknown) => error as Error);
    if (response instanceof Response && response.status < 500) return response;
    if (attempt < 3) continue;
    if (response instanceof Response) return response;
    throw response;
  }
}

/** The time at which the client leaves, which only the measurement reads. */
export const LEAVES_AT = "x-client-leaves-at";

function headersOf(req: Request): Record<string, string> {
  return { [LEAVES_AT]: req.headers[LEAVES_AT] as string };
}
