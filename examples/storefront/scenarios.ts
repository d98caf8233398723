import type { ViewedSpan } from "@throughline/viewer";

import { BOOKING_MS } from "./orders.ts";

/** The response that the visitor received. */
export interface Answer {
  /** `undefined` if the visitor left. */
  readonly status: number | undefined;
  readonly type: string;
  readonly body: Record<string, unknown>;
}

export interface Scenario {
  readonly title: string;
  /** @default "GET" */
  readonly method?: "GET" | "POST";
  readonly path: string;
  /** The visitor's deadline in milliseconds, sent to the gateway. */
  readonly budget: number;
  /** Milliseconds after which the visitor disconnects; `undefined` if the visitor stays. */
  readonly leavesAfter?: number;
  /** Milliseconds that work goes on after the response. @default none */
  readonly goesOnFor?: number;
  /** Checks the response. */
  claims(answer: Answer): Claim[];
  /** Checks the trace. */
  traced(spans: readonly ViewedSpan[]): Claim[];
}

/** A claim of a scenario, and whether it holds. */
export type Claim = readonly [holds: boolean, claim: string];

const ALL = ["gateway", "tokens", "search", "catalog", "inventory", "pricing", "reviews"];

export const SCENARIOS: readonly Scenario[] = [
  {
    title: "All in time",
    path: "/search?q=lamp",
    budget: 1_000,
    claims: ({ status, body }) => [
      [status === 200 && body["complete"] === true, "the answer is complete"],
      [
        body["for"] === "ada" && /^[\da-f]{32}$/.test(String(body["traceId"])),
        "the principal and the trace id are available three calls deep",
      ],
      [
        body["stockFor"] === "ada",
        "inventory, three services deep, knows the principal and ignores the token that the visitor forged",
      ],
    ],
    traced: (spans) => [
      [sameServices(spans, ALL), "all seven services took part, in one trace"],
      [servers(spans).every((span) => endedBy(span) === "response"), "each ended with its response"],
      [budgetsShrink(spans), "what is left of the deadline shrinks from hop to hop"],
    ],
  },
  {
    title: "Reviews is slow",
    path: "/search?q=sofa",
    budget: 500,
    claims: ({ status, body }) => [
      [status === 200 && body["complete"] === false, "the answer is partial, and in time"],
      [String(body["missing"]) === "reviews", "only the reviews are missing"],
    ],
    traced: (spans) => [
      [sameServices(spans, ALL), "all seven services took part, in one trace"],
      [
        servers(spans, "reviews").every((span) => endedBy(span) !== "response" && took(span) < 600),
        "reviews was canceled and stopped",
      ],
    ],
  },
  {
    title: "The visitor leaves after 80 ms",
    path: "/search?q=attic",
    budget: 2_000,
    leavesAfter: 80,
    claims: ({ status }) => [[status === undefined, "the visitor received no response"]],
    traced: (spans) => [
      [sameServices(spans, ALL), "all seven services took part, in one trace"],
      [
        atWork(spans).length > 0 && atWork(spans).every((span) => endedBy(span) === "client"),
        "each that was at work saw that its client had left",
      ],
      [
        lastEnd(spans) < 300,
        `every service stopped within ${Math.round(lastEnd(spans))} ms of the request, instead of after 1500 ms`,
      ],
      ...queryClaims(spans),
    ],
  },
  {
    title: "A budget too small",
    path: "/search?q=lamp",
    budget: 5,
    claims: ({ status, type, body }) => [
      [status === 504 && type.startsWith("application/problem+json"), "the answer is 504, a problem document"],
      [body["budgetMs"] === 5 && body["setBy"] === "grpc-timeout header", "it contains the budget and its source"],
    ],
    traced: (spans) => [[sameServices(spans, ["gateway"]), "no other service was called"]],
  },
  {
    title: "An order outlives its request",
    method: "POST",
    path: "/orders?product=lamp-1",
    budget: 800,
    goesOnFor: BOOKING_MS,
    claims: ({ status }) => [[status === 202, "the answer, that the order is accepted, is in time"]],
    traced: (spans) => {
      const booking = spans.find(({ name }) => name === "book order");
      const end = booking === undefined ? 0 : booking.end - Math.min(...spans.map((span) => span.start));
      return [
        [
          booking?.failed === false && end > 800,
          `it was booked ${Math.round(end)} ms after the request, whose budget was 800 ms`,
        ],
        ...queueClaims(spans),
      ];
    },
  },
];

/** What the queue did; nothing where the gateway books the orders itself. */
function queueClaims(spans: readonly ViewedSpan[]): Claim[] {
  const taken = spans.find(({ kind }) => kind === "consumer");
  return spans
    .filter(({ kind }) => kind === "producer")
    .map((sent) => [
      sent.service === "gateway" && taken?.service === "warehouse" && taken.parentSpanId === sent.spanId,
      "it went through the queue: the gateway sent it, and the warehouse took it, in the same trace",
    ]);
}

/** What PostgreSQL did; nothing where the stock is in memory. */
function queryClaims(spans: readonly ViewedSpan[]): Claim[] {
  return spans
    .filter((span) => span.attributes["db.system.name"] === "postgresql")
    .map((span) => [
      took(span) < 300 && endedBy(span) !== undefined,
      `PostgreSQL canceled the query of the stock after ${Math.round(took(span))} ms, instead of after 1500 ms`,
    ]);
}

function servers(spans: readonly ViewedSpan[], service?: string): ViewedSpan[] {
  return spans.filter((span) => span.kind === "server" && (service === undefined || span.service === service));
}

/** The servers at work when the visitor left: the exchange of the token ends long before. */
function atWork(spans: readonly ViewedSpan[]): ViewedSpan[] {
  return servers(spans).filter((span) => span.service !== "tokens");
}

function sameServices(spans: readonly ViewedSpan[], names: readonly string[]): boolean {
  const seen = servers(spans).map((span) => span.service);
  return seen.length === names.length && names.every((name) => seen.includes(name));
}

function endedBy(span: ViewedSpan): unknown {
  return span.attributes["throughline.ended_by"];
}

function took(span: ViewedSpan): number {
  return span.end - span.start;
}

/** Milliseconds from the arrival of the request until the last service ended. */
function lastEnd(spans: readonly ViewedSpan[]): number {
  return Math.max(...servers(spans).map((span) => span.end)) - Math.min(...spans.map((span) => span.start));
}

function budgetsShrink(spans: readonly ViewedSpan[]): boolean {
  const left = (name: string): number => Number(servers(spans, name)[0]?.attributes["throughline.deadline.budget_ms"]);
  const last = ["catalog", "inventory", "pricing", "reviews"];
  return left("gateway") > left("search") && last.every((name) => left("search") > left(name));
}
