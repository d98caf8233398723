import type { ViewedSpan } from "@throughline/viewer";

/** What the visitor got, seen from outside. */
export interface ProblemResponse {
  /** `undefined` if the visitor left. */
  readonly status: number | undefined;
  readonly type: string;
  readonly body: Record<string, unknown>;
}

export interface Scenario {
  readonly title: string;
  readonly query: string;
  /** Milliseconds that the visitor is ready to wait, as sent to the gateway. */
  readonly budget: number;
  /** When the visitor leaves, if he does, in milliseconds. */
  readonly leavesAfter?: number;
  /** What must be seen, each with whether it is. */
  claims(answer: ProblemResponse): Claim[];
  /** What must be seen in the trace. */
  traced(spans: readonly ViewedSpan[]): Claim[];
}

export type Claim = readonly [holds: boolean, claim: string];

const ALL = ["gateway", "tokens", "search", "catalog", "inventory", "pricing", "reviews"];

export const SCENARIOS: readonly Scenario[] = [
  {
    title: "All in time",
    query: "lamp",
    budget: 1_000,
    claims: ({ status, body }) => [
      [status === 200 && body["complete"] === true, "the answer is complete"],
      [
        body["for"] === "ada" && /^[\da-f]{32}$/.test(String(body["traceId"])),
        "who asked and the trace id were read three calls deep",
      ],
      [
        body["stockFor"] === "ada",
        "inventory, three services deep, was shown who asks, and not believed the token that the visitor made up",
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
    query: "sofa",
    budget: 500,
    claims: ({ status, body }) => [
      [status === 200 && body["complete"] === false, "the answer is partial, and in time"],
      [String(body["missing"]) === "reviews", "only the reviews are missing"],
    ],
    traced: (spans) => [
      [sameServices(spans, ALL), "all seven services took part, in one trace"],
      [
        servers(spans, "reviews").every((span) => endedBy(span) !== "response" && took(span) < 600),
        "reviews saw its cancellation, and stopped",
      ],
    ],
  },
  {
    title: "The visitor leaves after 80 ms",
    query: "attic",
    budget: 2_000,
    leavesAfter: 80,
    claims: ({ status }) => [[status === undefined, "there was nobody left to answer"]],
    traced: (spans) => [
      [sameServices(spans, ALL), "all seven services took part, in one trace"],
      [
        atWork(spans).length > 0 && atWork(spans).every((span) => endedBy(span) === "client"),
        "each that was at work saw that its client had left",
      ],
      [
        lastEnd(spans) < 300,
        `every service's work was over ${Math.round(lastEnd(spans))} ms after the request arrived; it would have taken 1500 ms`,
      ],
    ],
  },
  {
    title: "A budget too small",
    query: "lamp",
    budget: 5,
    claims: ({ status, type, body }) => [
      [status === 504 && type.startsWith("application/problem+json"), "the answer is 504, a problem document"],
      [body["budgetMs"] === 5 && body["setBy"] === "grpc-timeout header", "it tells the budget and who set it"],
    ],
    traced: (spans) => [[sameServices(spans, ["gateway"]), "no other service was asked"]],
  },
];

function servers(spans: readonly ViewedSpan[], service?: string): ViewedSpan[] {
  return spans.filter((span) => span.kind === "server" && (service === undefined || span.service === service));
}

/** Those that had not answered when the visitor left: the token was exchanged long before. */
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

/** When the last of the services ended, counted from the arrival at the first. */
function lastEnd(spans: readonly ViewedSpan[]): number {
  return Math.max(...servers(spans).map((span) => span.end)) - Math.min(...spans.map((span) => span.start));
}

function budgetsShrink(spans: readonly ViewedSpan[]): boolean {
  const left = (name: string): number => Number(servers(spans, name)[0]?.attributes["throughline.deadline.budget_ms"]);
  const last = ["catalog", "inventory", "pricing", "reviews"];
  return left("gateway") > left("search") && last.every((name) => left("search") > left(name));
}
