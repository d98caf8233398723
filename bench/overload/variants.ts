// How a service of each variant receives, calls and waits. A service is the same Express application in all of them.
import { type Context, current } from "@throughline/context";
import { requestContext } from "@throughline/express";
import { createFetch, type FetchOptions } from "@throughline/fetch";
import type { AdmissionOptions } from "@throughline/http";
import { hedge, Percentile, Semaphore, sleep } from "@throughline/resilience";
import timeout from "connect-timeout";
import type { Request, RequestHandler } from "express";

import { FirstComePool } from "./first-come-pool.ts";

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

/** @param places the size of the pool of the store */
export type MakeVariant = (places: number) => Variant;

export const VARIANTS: Readonly<Record<string, MakeVariant>> = {
  "plain, timeouts of 30 s": (places) => withSignal(places, () => AbortSignal.timeout(USUAL_TIMEOUT)),
  "plain, with 3 attempts": (places) => {
    const plain = withSignal(places, () => AbortSignal.timeout(USUAL_TIMEOUT));
    return { ...plain, call: (url, req) => threeAttempts(() => plain.call(url, req)) };
  },
  "AbortSignal by hand": (places) => withSignal(places, signalOf),
  "connect-timeout": (places) => {
    const pool = new FirstComePool(places);
    return {
      middleware: [timeout(PATIENCE) as unknown as RequestHandler],
      call: (url, req) => fetch(url, { headers: headersOf(req) }),
      work: (ms) => pool.work(ms),
    };
  },
  "ours: deadlines": (places) => ours(places),
  "ours: deadlines, a pool of others": (places) => withForeignPool(places),
  "ours: admission adaptive, a pool of others": (places) => withForeignPool(places, "adaptive"),
  "ours: admission adaptive": (places) => ours(places, { admission: "adaptive" }),
  "ours: admission by a number": (places) => ours(places, { admission: { concurrency: places * 2 } }),
  "ours: retries with a budget": (places) => ours(places, { admission: "adaptive", retry: true }),
  "ours: retries without a budget": (places) => ours(places, { admission: "adaptive", retry: { budget: "none" } }),
  "ours: hedged calls": (places) => ours(places, { admission: "adaptive", isHedged: true }),
};

interface Ours {
  readonly admission?: AdmissionOptions | "adaptive";
  readonly retry?: FetchOptions["retry"];
  readonly isHedged?: boolean;
}

function ours(places: number, { admission, retry = false, isHedged = false }: Ours = {}): Variant {
  const pool = new Semaphore(places);
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
function withForeignPool(places: number, admission?: "adaptive"): Variant {
  const pool = new FirstComePool(places);
  return { ...ours(places, { ...(admission && { admission }) }), work: (ms) => pool.work(ms) };
}

function withSignal(places: number, signalFor: (req: Request) => AbortSignal): Variant {
  const pool = new FirstComePool(places);
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
