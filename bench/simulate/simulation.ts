import { background, current, run } from "@throughline/context";
import { callAfter } from "@throughline/context/internal";
import { createFetch, type FetchOptions, requestContext } from "@throughline/fetch";
import type { AdmissionOptions } from "@throughline/http";
import { Semaphore, sleep } from "@throughline/resilience";

import type { Answer } from "./measures.ts";
import type { ServiceSpec, Topology } from "./topology.ts";
import { inVirtualTime, randomFrom, virtualNow } from "./virtual-time.ts";

/** How the services are built: the code that runs is that of the packages. */
export interface Build {
  /** Whether the services have a Context for each request. Otherwise work that has begun is done, as in plain Node. */
  readonly hasContext: boolean;
  readonly admission?: AdmissionOptions | "adaptive";
  /** A pool that serves first come, first served, and goes on with what its caller no longer waits for. */
  readonly isForeignPool?: boolean;
  readonly retry?: FetchOptions["retry"];
}

export interface Scenario {
  readonly topology: Topology;
  readonly build: Build;
  /** Clients a second at each second after the start. They come at random and do not wait for each other. */
  readonly rate: (second: number) => number;
  readonly seconds: number;
  /** How long a client waits, in milliseconds. Then it leaves. */
  readonly patience: number;
  /** How often a client tries. @default 1 */
  readonly attempts?: number;
  /** The share of clients whose requests are sheddable, when services accept criticality. @default 0 */
  readonly sheddable?: number;
  readonly seed: number;
}

export interface SimulatedAnswer extends Answer {
  readonly isSheddable: boolean;
}

export interface Result {
  readonly answers: readonly SimulatedAnswer[];
  /** Requests that services received, from clients and from each other. */
  readonly requests: number;
  /** Milliseconds of work that was done, and that of which was done for clients that had left, by service. */
  readonly work: ReadonlyMap<string, { done: number; inVain: number; arrived: number }>;
}

const LEAVES_AT = "x-client-leaves-at";

/** Runs a scenario on a clock of its own, in one process. The same seed gives the same result. */
export async function simulate(scenario: Scenario): Promise<Result> {
  const random = randomFrom(scenario.seed);
  // The jitter of retries uses it.
  const original = Math.random;
  Math.random = random;
  try {
    return await inVirtualTime(() => new Simulation(scenario, random).run());
  } finally {
    Math.random = original;
  }
}

type Handler = (request: Request) => Promise<Response>;

class Simulation {
  readonly #scenario: Scenario;
  readonly #random: () => number;
  readonly #handlers = new Map<string, Handler>();
  readonly #work = new Map<string, { done: number; inVain: number; arrived: number }>();
  readonly #answers: SimulatedAnswer[] = [];
  #requests = 0;

  constructor(scenario: Scenario, random: () => number) {
    this.#scenario = scenario;
    this.#random = random;
    for (const spec of scenario.topology.services) this.#handlers.set(`http://${spec.name}`, this.#service(spec));
  }

  async run(): Promise<Result> {
    const { rate, seconds } = this.#scenario;
    const clients: Promise<void>[] = [];
    for (;;) {
      const gap = (-Math.log(1 - this.#random()) * 1000) / rate(virtualNow() / 1000);
      await new Promise<void>((resolve) => void callAfter(gap, resolve));
      if (virtualNow() >= seconds * 1000) break;
      clients.push(this.#client());
    }
    await Promise.all(clients);
    return { answers: this.#answers, requests: this.#requests, work: this.#work };
  }

  async #client(): Promise<void> {
    const { topology, patience, attempts: most = 1, sheddable = 0 } = this.#scenario;
    const at = virtualNow();
    const isSheddable = sheddable > 0 && this.#random() < sheddable;
    for (let attempts = 1; ; attempts++) {
      const from = virtualNow();
      const leaving = new AbortController();
      const stop = callAfter(patience, () => leaving.abort());
      const headers = {
        [LEAVES_AT]: String(from + patience),
        ...(isSheddable && { "throughline-criticality": "sheddable" }),
      };
      const response = await this.#send(`http://${topology.entry}/`, { headers, signal: leaving.signal }).catch(
        () => {},
      );
      stop();
      const isAnswered = response?.status === 200;
      if (isAnswered || attempts === most) {
        this.#answers.push({
          at,
          until: virtualNow(),
          took: isAnswered ? virtualNow() - from : undefined,
          attempts,
          isSheddable,
        });
        return;
      }
      await new Promise<void>((resolve) => void callAfter(100 + this.#random() * 400, resolve));
    }
  }

  /** The network: a `fetch` that calls the handler, and rejects when its caller leaves. */
  readonly #send = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    this.#requests += 1;
    const request = new Request(input, init);
    const { origin } = new URL(request.url);
    const { signal } = request;
    const handled = run(background, this.#handlers.get(origin)!, request);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
      handled.then(resolve, () => resolve(new Response(null, { status: 500 })));
    });
  };

  #service(spec: ServiceSpec): Handler {
    const { build } = this.#scenario;
    const fetch = build.hasContext ? createFetch({ fetch: this.#send, retry: build.retry ?? false }) : this.#send;
    const counts = { done: 0, inVain: 0, arrived: 0 };
    this.#work.set(spec.name, counts);
    const places = spec.places ?? Infinity;
    const pool = build.hasContext && build.isForeignPool !== true ? contextPool(places) : firstComePool(places);
    const handler: Handler = async (request) => {
      counts.arrived += 1;
      if (this.#isFailing(spec)) return new Response(null, { status: 503 });
      const leavesAt = request.headers.get(LEAVES_AT)!;
      const ms = this.#timeOf(spec);
      if (ms > 0) {
        await pool(ms);
        counts.done += ms;
        if (virtualNow() > Number(leavesAt)) counts.inVain += ms;
      }
      for (const call of spec.calls ?? []) {
        const to = typeof call === "string" ? call : call[Math.floor(this.#random() * call.length)]!;
        const response = await fetch(`http://${to}/`, { headers: { [LEAVES_AT]: leavesAt } });
        if (response.status !== 200) return new Response(null, { status: response.status });
      }
      return new Response(null, { status: 200 });
    };
    if (!build.hasContext) return handler;
    const options = { maxTimeout: this.#scenario.patience, ...(build.admission && { admission: build.admission }) };
    return requestContext(handler, options);
  }

  #timeOf(spec: ServiceSpec): number {
    let ms = spec.work * (0.5 + this.#random());
    for (const each of this.#troubles(spec)) ms *= each.slower ?? 1;
    return ms;
  }

  #isFailing(spec: ServiceSpec): boolean {
    return this.#troubles(spec).some((each) => this.#random() < (each.failing ?? 0));
  }

  #troubles({ name }: ServiceSpec) {
    const second = virtualNow() / 1000;
    const all = this.#scenario.topology.troubles ?? [];
    return all.filter((each) => each.service === name && second >= each.from && second < each.to);
  }
}

function contextPool(places: number): (ms: number) => Promise<void> {
  const pool = new Semaphore(places);
  return async (ms) => {
    const ctx = current();
    using _ = await pool.acquire(ctx);
    await sleep(ctx, ms);
  };
}

function firstComePool(places: number): (ms: number) => Promise<void> {
  let free = places;
  const waiting: (() => void)[] = [];
  return async (ms) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    await new Promise<void>((resolve) => void callAfter(ms, resolve));
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
}
