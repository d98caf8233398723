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

import type { InvalidDeadline } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { type Budget, callersBudget, lesser } from "./inbound-deadline.ts";
import { isSuppressed } from "./otel-keys.ts";
import { problemOf } from "./problem.ts";
import { type ServerOptions, type ServerSettings, serverSettings } from "./server-options.ts";
import { type IncomingRequest, ServerSpan } from "./server-span.ts";
import { bindTraceId } from "./trace-id.ts";

/** Receives requests: gives each its context, its deadline and its SERVER span. */
export interface Acceptor {
  /** A request that has just arrived; its clock starts now. */
  accept(request: IncomingRequest): Exchange;
  /** A request that was accepted further out: its deadline can only become earlier. */
  narrow(): Exchange;
}

/** Checks the options once; what it returns is called for every request. */
export function acceptor(options: ServerOptions = {}): Acceptor {
  const settings = serverSettings(options);
  return {
    accept: (request) => accept(request, settings),
    narrow: () => narrow(settings),
  };
}

function accept(request: IncomingRequest, settings: ServerSettings): Exchange {
  const active = current();
  if (isSuppressed(active)) return new Exchange(active);

  let invalid: InvalidDeadline | undefined;
  const callers = callersBudget(request.headers, settings.accept, (error) => {
    invalid ??= error;
    invalidDeadlines().add(1, { header: error.header });
  });
  const budget = lesser(
    callers ?? serverBudget(settings.defaultTimeout, "defaultTimeout"),
    serverBudget(settings.maxTimeout, "maxTimeout"),
  );

  const span = ServerSpan.start(baseOf(active), request);
  if (budget !== undefined) span.budget(budget);
  const [ctx, cancel] = limit(bindTraceId(span.ctx), budget);

  if (invalid !== undefined && settings.invalidDeadline === "reject") {
    return new Exchange(ctx, cancel, span, problemOf(invalid));
  }
  if (budget !== undefined && budget.ms < settings.minBudget) {
    const tooLittle = new DeadlineExceeded(undefined, { budget: budget.ms, elapsed: 0, source: budget.source });
    return new Exchange(ctx, cancel, span, problemOf(tooLittle));
  }
  return new Exchange(ctx, cancel, span);
}

function narrow(settings: ServerSettings): Exchange {
  const budget = serverBudget(settings.maxTimeout, "maxTimeout");
  return new Exchange(limit(current(), budget)[0]);
}

function limit(ctx: Context, budget: Budget | undefined): ReturnType<typeof withCancel> {
  if (budget === undefined || budget.ms === Infinity) return withCancel(ctx);
  return withTimeout(ctx, budget.ms, { source: budget.source });
}

function serverBudget(ms: number | undefined, source: string): Budget | undefined {
  return ms === undefined ? undefined : { ms, source };
}

/**
 * What a request's context stands on: the values that are here, an instrumentation's span among them, but nobody's end. A
 * server that was started under a deadline hands that context to every request it ever gets.
 */
function baseOf(active: Context): Context {
  return active === background ? background : withoutCancel(active);
}

function invalidDeadlines(): ReturnType<ReturnType<typeof metrics.getMeter>["createCounter"]> {
  return metrics.getMeter("@throughline/http").createCounter("throughline.deadline.invalid", {
    description: "Deadline headers that did not follow their grammar",
    unit: "{header}",
  });
}
