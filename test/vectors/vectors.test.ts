import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { text } from "node:stream/consumers";

import { background, createKey, current, type Key, withDeadline, withTimeout, withValue } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";
import { createFetch } from "@throughline/fetch";
import {
  connectTimeout,
  criticality,
  type DeadlineDialect,
  envoyExpectedTimeout,
  grpcTimeout,
  InvalidDeadline,
  InvalidHeader,
  outboundHeaders,
  outcomeOf,
  propagateValue,
  requestContext,
  ServerDraining,
  ServerOverloaded,
  type ServerOptions,
  textCodec,
} from "@throughline/http";
import {
  formatMessageDeadline,
  MESSAGE_DEADLINE_HEADER,
  OUTCOME_HEADER,
  parseMessageDeadline,
  problemOf,
  problemResponse,
} from "@throughline/http/adapter";
import { consume } from "@throughline/messages";
import { startClock, type TestClock } from "@throughline/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { atEnd, cleanUpAfterEach, serve } from "../support/loopback.ts";

type Lines = readonly (readonly [name: string, value: string])[];

/** The options of a server, in the vectors. */
interface VectorServer {
  readonly maxTimeoutMs?: number;
  readonly defaultTimeoutMs?: number;
  readonly minBudgetMs?: number;
  readonly invalidDeadline?: "reject" | "ignore";
}

function vectors(file: string): unknown {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"));
}

const DIALECTS = Object.fromEntries(
  [grpcTimeout, connectTimeout, envoyExpectedTimeout].map((each) => [each.header, each]),
) as Record<string, DeadlineDialect>;

function serverOptions({ maxTimeoutMs, defaultTimeoutMs, minBudgetMs, invalidDeadline }: VectorServer): ServerOptions {
  return {
    ...(maxTimeoutMs !== undefined && { maxTimeout: maxTimeoutMs }),
    ...(defaultTimeoutMs !== undefined && { defaultTimeout: defaultTimeoutMs }),
    ...(minBudgetMs !== undefined && { minBudget: minBudgetMs }),
    ...(invalidDeadline !== undefined && { invalidDeadline }),
  };
}

const TRUSTED = { addresses: ["127.0.0.1"] };

/** A response, and what the handler returned if it ran. */
interface Exchange<T> {
  readonly status: number;
  readonly outcome: string | null;
  readonly problem: Record<string, unknown> | undefined;
  readonly handled: T | undefined;
}

/** Sends these header lines to a server with these options, over a real connection. */
async function send<T>(
  headers: Lines,
  options: ServerOptions,
  handle: (req: http.IncomingMessage) => Promise<T> | T,
): Promise<Exchange<T>> {
  let handled: T | undefined;
  const { url } = await serve(
    requestContext(async (req, res) => {
      handled = await handle(req);
      res.end();
    }, options),
  );
  const request = http.request(url, { agent: false, headers: ["host", new URL(url).host, ...headers.flat()] }).end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const body = await text(response);
  return {
    status: response.statusCode!,
    outcome: (response.headers[OUTCOME_HEADER] as string | undefined) ?? null,
    problem: body === "" ? undefined : (JSON.parse(body) as Record<string, unknown>),
    handled,
  };
}

cleanUpAfterEach();

it("a test reads every file of vectors", () => {
  const source = readFileSync(new URL(import.meta.url), "utf8");
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".json"));
  expect(files).toHaveLength(7);
  expect(files.filter((file) => !source.includes(`("${file}")`))).toEqual([]);
});

describe("deadline headers", () => {
  const { read, write } = vectors("deadline-headers.json") as {
    read: { header: string; value: string; ms: number | null }[];
    write: { header: string; value: string; ms: number }[];
  };

  it.each(read)("$header: $value is read as $ms ms", ({ header, value, ms }) => {
    const parsed = DIALECTS[header]!.parse(value);
    if (ms === null) expect(parsed).toBeUndefined();
    else expect(parsed).toBeCloseTo(ms, 9);
  });

  it.each(write)("$header: $ms ms are written as $value", ({ header, value, ms }) => {
    expect(DIALECTS[header]!.format(ms)).toBe(value);
  });
});

describe("deadlines of requests", () => {
  interface Vector {
    readonly name: string;
    readonly headers: Lines;
    readonly server?: VectorServer;
    readonly expect: {
      readonly budgetMs?: number | null;
      readonly setBy?: string;
      readonly status?: number;
      readonly type?: string;
      readonly outcome?: string | null;
    };
  }

  it.each(vectors("requests.json") as Vector[])("$name", async ({ headers, server = {}, expect: wanted }) => {
    const { status, outcome, problem, handled } = await send(headers, serverOptions(server), () => {
      const { budget = null, source } = deadlineDetails(current()) ?? {};
      return { budgetMs: budget, ...(source !== undefined && { setBy: source }) };
    });
    if (wanted.status === undefined) return expect(handled).toEqual(wanted);
    const { type, budgetMs, setBy } = problem!;
    expect(handled).toBeUndefined();
    expect({ status, type, outcome, budgetMs, setBy }).toEqual({ budgetMs: undefined, setBy: undefined, ...wanted });
  });
});

describe("forwarded deadlines", () => {
  interface Vector {
    readonly name: string;
    readonly headers: Lines;
    readonly server?: VectorServer;
    readonly elapsedMs: number;
    readonly marginMs: number;
    readonly header?: string;
    readonly sent: Record<string, string> | null;
  }
  let clock: TestClock;
  beforeEach(() => void (clock = startClock()));
  afterEach(() => clock.stop());

  it.each(vectors("forwarding.json") as Vector[])(
    "$name",
    async ({ headers, server = {}, elapsedMs, marginMs, header = "grpc-timeout", sent }) => {
      let forwarded: Record<string, string> | null | undefined;
      await send(headers, serverOptions(server), async () => {
        const ctx = current();
        await clock.advance(elapsedMs);
        try {
          const all = outboundHeaders(ctx, "http://next.internal/", { margin: marginMs, dialect: DIALECTS[header]! });
          forwarded = Object.fromEntries(Object.entries(all).filter(([name]) => DIALECTS[name] !== undefined));
        } catch (error) {
          expect(error).toMatchObject({ name: "TimeoutError", code: "DEADLINE_EXCEEDED" });
          forwarded = null;
        }
      });
      await vi.waitFor(() => expect(forwarded).toEqual(sent));
    },
  );
});

describe("criticality", () => {
  interface Vector {
    readonly name: string;
    readonly headers: Lines;
    readonly accept: "lower" | "any" | "none";
    readonly trusted: boolean;
    readonly bound: string;
    readonly sent: string | null;
  }

  it.each(vectors("criticality.json") as Vector[])("$name", async ({ headers, accept, trusted, bound, sent }) => {
    const options = { acceptCriticality: accept, ...(trusted && { trust: TRUSTED }) };
    const { handled } = await send(headers, options, (req) => ({
      bound: criticality(),
      sent: outboundHeaders(current(), "http://next.internal/")["throughline-criticality"] ?? null,
      kept: req.headers["throughline-criticality"] !== undefined,
    }));
    const isAccepted = headers.some(([, value]) => value === bound);
    expect(handled).toEqual({ bound, sent, kept: isAccepted });
  });
});

describe("propagated values", () => {
  interface Declared {
    readonly name: string;
    readonly as: "baggage" | "header";
    readonly accept: "trusted" | "anyone";
    readonly maxBytes: number;
  }
  interface Request {
    readonly name: string;
    readonly headers: Lines;
    readonly trusted: boolean;
    readonly bound?: Record<string, string>;
    readonly kept?: Record<string, string>;
    readonly status?: number;
    readonly type?: string;
  }
  const { declared, written, requests } = vectors("values.json") as {
    declared: Declared[];
    written: { as: "baggage" | "header"; value: string; text: string }[];
    requests: Request[];
  };
  const keys = declared.map((options): [name: string, key: Key<string>] => {
    const key = createKey<string>(options.name);
    propagateValue(key, { ...options, codec: textCodec });
    return [options.name, key];
  });
  const writtenKeys = { baggage: createKey<string>("written"), header: createKey<string>("x-written") };
  for (const as of ["baggage", "header"] as const) {
    propagateValue(writtenKeys[as], { name: writtenKeys[as].description!, as, codec: textCodec, maxBytes: 8000 });
  }

  it.each(written)("$value is written as $text, as $as", ({ as, value, text: wanted }) => {
    const origins = ["http://next.internal"];
    const ctx = withValue(background, writtenKeys[as], value);
    const headers = outboundHeaders(ctx, "http://next.internal/", { origins });
    expect(as === "baggage" ? headers["baggage"] : headers["x-written"]).toBe(
      as === "baggage" ? `written=${wanted}` : wanted,
    );
    expect(outboundHeaders(ctx, "http://other.internal/", { origins })).toEqual({});
  });

  it.each(requests)("$name", async ({ headers, trusted, bound, kept, status: refusal, type }) => {
    const { status, problem, handled } = await send(headers, trusted ? { trust: TRUSTED } : {}, (req) => ({
      bound: Object.fromEntries(
        keys.map(([name, key]) => [name, current().value(key)]).filter(([, value]) => value !== undefined),
      ) as object,
      kept: Object.fromEntries(
        Object.entries(req.headers).filter(([name]) => !["host", "connection"].includes(name)),
      ) as object,
    }));
    if (bound === undefined) expect([status, problem?.["type"]]).toEqual([refusal, type]);
    else expect(handled).toEqual({ bound, kept });
  });
});

describe("outcomes", () => {
  const { read, problems, retries } = vectors("outcomes.json") as {
    read: { value: string | null; outcome: string | null; started?: boolean }[];
    problems: { problem: string; started: boolean; status: number; title: string; outcome: string | null }[];
    retries: { method: string; status: number; outcome: string | null; idempotencyKey?: boolean; retry: boolean }[];
  };

  it.each(read)("$value is read as $outcome", ({ value, outcome, started }) => {
    // A class of its own, as `Headers` rejects a line feed.
    const response = { headers: { get: (name: string) => (name === OUTCOME_HEADER ? value : null) } };
    expect(outcomeOf(response as Response)).toEqual(outcome === null ? undefined : { outcome, started });
  });

  const [expired, stop] = withTimeout(background, 0);
  stop();
  const errors: Record<string, Error> = {
    "deadline-exceeded": expired.err()!,
    draining: new ServerDraining(),
    overloaded: new ServerOverloaded(),
    "invalid-deadline": new InvalidDeadline("grpc-timeout", "whole", "soon"),
    "invalid-header": new InvalidHeader("x-flags"),
  };

  it.each(problems)("$problem is answered $status, $outcome", ({ problem, started, status, title, outcome }) => {
    const answer = problemResponse(problemOf(errors[problem])!, started);
    expect(answer.status).toBe(status);
    expect(answer.headers[OUTCOME_HEADER] ?? null).toBe(outcome);
    expect(answer.headers).toMatchObject({ "content-type": "application/problem+json", "cache-control": "no-store" });
    expect(JSON.parse(answer.body)).toMatchObject({ type: `urn:throughline:problem:${problem}`, title, status });
  });

  it.each(retries)(
    "$method answered $status, $outcome: sent again $retry",
    async ({ method, status, outcome, idempotencyKey, retry }) => {
      let requests = 0;
      const { url, server } = await serve((_req, res) => {
        requests += 1;
        res.writeHead(requests > 1 ? 200 : status, outcome === null ? {} : { [OUTCOME_HEADER]: outcome }).end();
      });
      const fetch = createFetch({ retry: { attempts: 2, budget: "none", backoff: { base: 1 } } });
      await fetch(url, { method, headers: idempotencyKey ? { "idempotency-key": "1" } : {} });
      server.closeIdleConnections();
      expect(requests).toBe(retry ? 2 : 1);
    },
  );
});

describe("messages", () => {
  const {
    read,
    write,
    consume: consumed,
  } = vectors("messages.json") as {
    read: { value: string; at: number | null }[];
    write: { at: number; value: string }[];
    consume: { name: string; value: string | null; nowMs: number; maxTimeoutMs?: number; remainingMs: number | null }[];
  };

  it.each(read)("$value is read as $at", ({ value, at }) => {
    expect(parseMessageDeadline(value) ?? null).toBe(at);
  });

  it.each(write)("$at is written as $value", ({ at, value }) => {
    expect(formatMessageDeadline(new Date(at))).toBe(value);
  });

  it("writes the deadline of a context", () => {
    const [ctx, cancel] = withDeadline(background, 4_000_000_000_000);
    expect(formatMessageDeadline(ctx.deadline!)).toBe("4000000000000");
    cancel();
  });

  it.each(consumed)("$name", async ({ value, nowMs, maxTimeoutMs, remainingMs }) => {
    const clock = startClock();
    const wallClock = vi.spyOn(Date, "now").mockReturnValue(nowMs);
    atEnd(async () => {
      wallClock.mockRestore();
      clock.stop();
    });
    const headers = value === null ? {} : { [MESSAGE_DEADLINE_HEADER]: value };
    const options = maxTimeoutMs === undefined ? {} : { maxTimeout: maxTimeoutMs };
    const result = await consume(headers, (ctx) => ctx.remaining(), options);
    if (remainingMs === 0) expect(result).toMatchObject({ disposition: "dead", hasRun: false });
    else expect(result).toMatchObject({ disposition: "ack", value: remainingMs ?? Infinity });
  });
});
