import { metrics } from "@opentelemetry/api";
import {
  background,
  type Context,
  current,
  DeadlineExceeded,
  withCancel,
  withoutCancel,
  withTimeout,
} from "@throughline/context";

import { declareDeadline } from "./declared-deadline.ts";
import type { InvalidDeadline } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { type Budget, callersBudget, lesser } from "./inbound-deadline.ts";
import { isSuppressed } from "./otel-keys.ts";
import { type Problem, problemOf } from "./problem.ts";
import { type ServerOptions, type ServerSettings, serverSettings } from "./server-options.ts";
import { type IncomingRequest, ServerSpan } from "./server-span.ts";
import { bindTraceId } from "./trace-id.ts";

/** A request as one middleware has received it. */
export interface Admission {
  readonly exchange: Exchange;
  /** What to run the rest in: the exchange's own context, or one with an earlier deadline. */
  readonly ctx: Context;
  /** What to answer instead. */
  readonly refusal: Problem | undefined;
  /** Whether this middleware is the outermost, which has to tell the exchange of its end. */
  readonly isFirst: boolean;
}

/**
 * Receives requests: gives each its context, its deadline and its SERVER span. Called again for the same request, as by a middleware
 * on a route, it can only make the deadline earlier.
 *
 * @param request what stands for the request in the host
 * @param describe tells of it, if it is new; its clock starts now
 */
export type Acceptor = (request: object, describe: () => IncomingRequest) => Admission;

/** Where the exchange is kept with its request: the same for all installed copies of this package. */
const EXCHANGE = Symbol.for("@throughline/http/exchange.1");

/** The exchange that a request was accepted into, if it was. */
export function exchangeOf(request: object): Exchange | undefined {
  return (request as { [EXCHANGE]?: Exchange })[EXCHANGE];
}

/** Checks the options once; what it returns is called for every request. */
export function acceptor(options: ServerOptions = {}): Acceptor {
  const settings = serverSettings(options);
  return function accept(request, describe) {
    const known = exchangeOf(request);
    if (known !== undefined) return narrow(known, settings);
    const exchange = open(describe(), settings);
    (request as { [EXCHANGE]?: Exchange })[EXCHANGE] = exchange;
    return { exchange, ctx: exchange.ctx, refusal: exchange.refusal, isFirst: true };
  };
}

function open(request: IncomingRequest, settings: ServerSettings): Exchange {
  const active = current();
  if (isSuppressed(active)) return new Exchange(active);

  let invalid: InvalidDeadline | undefined;
  const callers = callersBudget(request.headers, settings.accept, (error) => {
    invalid ??= error;
    countInvalid(error.header);
  });
  const budget = serverBudget(callers, settings);

  const span = ServerSpan.start(baseOf(active), request);
  if (budget !== undefined) span.budget(budget);
  const traced = bindTraceId(span.ctx);
  if (settings.mode !== "enforce") {
    const [ctx, cancel] = withCancel(traced);
    return new Exchange(settings.mode === "propagate" ? declareDeadline(ctx, budget) : ctx, cancel, span);
  }
  const [ctx, cancel] = limit(traced, budget);
  const refusal =
    invalid !== undefined && settings.invalidDeadline === "reject" ? problemOf(invalid) : refusalOf(budget, settings);
  return new Exchange(ctx, cancel, span, refusal);
}

function narrow(exchange: Exchange, settings: ServerSettings): Admission {
  const outer = exchange.innermost(current());
  if (settings.mode !== "enforce") return { exchange, ctx: outer, refusal: undefined, isFirst: false };
  const left = outer.remaining();
  const callers = left === Infinity ? undefined : { ms: left, source: "the deadline" };
  const budget = serverBudget(callers, settings);
  return { exchange, ctx: limit(outer, budget)[0], refusal: refusalOf(budget, settings), isFirst: false };
}

/** What holds of the caller's limit and the server's own. */
function serverBudget(callers: Budget | undefined, { defaultTimeout, maxTimeout }: ServerSettings): Budget | undefined {
  return lesser(callers ?? budgetOf(defaultTimeout, "defaultTimeout"), budgetOf(maxTimeout, "maxTimeout"));
}

function budgetOf(ms: number | undefined, source: string): Budget | undefined {
  return ms === undefined ? undefined : { ms, source };
}

function refusalOf(budget: Budget | undefined, { minBudget }: ServerSettings): Problem | undefined {
  if (budget === undefined || (budget.ms > 0 && budget.ms >= minBudget)) return undefined;
  return problemOf(new DeadlineExceeded(undefined, { budget: budget.ms, elapsed: 0, source: budget.source }));
}

function limit(ctx: Context, budget: Budget | undefined): ReturnType<typeof withCancel> {
  if (budget === undefined || budget.ms === Infinity) return withCancel(ctx);
  return withTimeout(ctx, budget.ms, { source: budget.source });
}

/**
 * What a request's context stands on: the values that are here, an instrumentation's span among them, but nobody's end. A
 * server that was started under a deadline hands that context to every request it ever gets.
 */
function baseOf(active: Context): Context {
  return active === background ? background : withoutCancel(active);
}

function countInvalid(header: string): void {
  const options = { description: "Deadline headers that did not follow their grammar", unit: "{header}" };
  metrics.getMeter("@throughline/http").createCounter("throughline.deadline.invalid", options).add(1, { header });
}
