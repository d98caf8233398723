import { trace } from "@opentelemetry/api";
import {
  background,
  type Context,
  current,
  DeadlineExceeded,
  withCancel,
  withoutCancel,
  withTimeout,
} from "@throughline/context";
import { hasDeadline, isTracingSuppressed, now } from "@throughline/context/internal";
import { criticality, withCriticality } from "@throughline/resilience/internal";

import type { IncomingRequest } from "../observe/server-request.ts";
import { httpMetadata } from "../telemetry/http-metadata.ts";
import { ensureContextManager } from "../telemetry/installed-api.ts";
import { countInvalid, ServerMeasurement } from "../telemetry/server-metrics.ts";
import { ServerSpan, serverSpanOf } from "../telemetry/server-span.ts";
import { extractTrace } from "../telemetry/trace-context.ts";
import { isAuthority } from "../wire/authority.ts";
import { type Budget, callerBudget, smallerBudget } from "../wire/caller-budget.ts";
import { CRITICALITY_HEADER, inboundCriticality } from "../wire/criticality.ts";
import { type InvalidDeadline, InvalidHeader } from "../wire/errors.ts";
import { withRequestId } from "../wire/request-id.ts";
import type { AdmissionDecision } from "./admission.ts";
import { type Problem, problemOf } from "./problem.ts";
import { type InboundValues, receiveValues } from "./receive-values.ts";
import { type ServerOptions, type ServerSettings, serverSettings } from "./server-options.ts";
import { ServerRequest } from "./server-request.ts";

/** A request as one middleware has received it. */
export interface ReceivedRequest {
  readonly serverRequest: ServerRequest;
  /** The context for the handler: the request's own, or one with an earlier deadline. */
  readonly ctx: Context;
  /** A promise while the request waits in the admission queue. */
  readonly decision: AdmissionDecision | Promise<AdmissionDecision>;
  /** Whether this is the outermost middleware, which observes the response. */
  readonly isOutermost: boolean;
  readonly settings: ServerSettings;
}

/**
 * Receives requests: it creates the context, the deadline and the SERVER span of each. A second call for the same
 * request, for example by a middleware on a route, can only shorten the deadline.
 *
 * @param request the object that identifies the request in the host
 * @param describe called once for a new request, whose clock starts now
 */
export type Receiver = <R extends object>(request: R, describe: (request: R) => IncomingRequest) => ReceivedRequest;

/**
 * The property of a host's request that holds its ServerRequest. All installed copies of this package use the same one.
 */
const SERVER_REQUEST = Symbol.for("@throughline/http/server-request.1");

/** The ServerRequest of a host's request, if a middleware has received it. */
export function serverRequestOf(request: object): ServerRequest | undefined {
  return (request as { [SERVER_REQUEST]?: ServerRequest })[SERVER_REQUEST];
}

/** Checks the options once, and returns the function that is called for each request. */
export function createReceiver(options: ServerOptions = {}): Receiver {
  return receiverWith(serverSettings(options));
}

export function receiverWith(settings: ServerSettings): Receiver {
  ensureContextManager();
  return function receive(request, describe) {
    const known = serverRequestOf(request);
    const incoming = describe(request);
    if (known !== undefined) return receiveNested(known, incoming, settings);
    const serverRequest = receiveNew(incoming, settings);
    (request as { [SERVER_REQUEST]?: ServerRequest })[SERVER_REQUEST] = serverRequest;
    const { ctx, refusal } = serverRequest;
    const decision = refusal ?? admit(serverRequest, ctx, incoming, settings);
    return { serverRequest, ctx, decision, isOutermost: true, settings };
  };
}

function receiveNew(request: IncomingRequest, settings: ServerSettings): ServerRequest {
  const deadline = readDeadline(request, settings);
  const tracing = startTracing(request, deadline.budget, settings);
  const values = readValues(tracing.ctx, request, settings);
  const [ctx, cancel] = settings.mode === "enforce" ? withBudget(values.ctx, deadline.budget) : withCancel(values.ctx);
  const serverRequest = new ServerRequest(
    ctx,
    cancel,
    refusalOf(request, deadline, values, settings),
    values.unverified,
  );
  serverRequest.connection = request.connection;
  if (settings.mode === "propagate" && deadline.budget !== undefined) {
    serverRequest.downstreamDeadline = now() + deadline.budget.ms;
  }
  serverRequest.observe(tracing.span);
  if (!tracing.isTracingSuppressed) {
    serverRequest.observe(ServerMeasurement.start(request, deadline.budget, tracing.isMeasuredElsewhere));
  }
  return serverRequest;
}

/** Receives a request in a nested middleware, which applies its own limits to the deadline of the outer one. */
function receiveNested(
  serverRequest: ServerRequest,
  request: IncomingRequest,
  settings: ServerSettings,
): ReceivedRequest {
  const outer = serverRequest.innermost(current());
  const rest = { serverRequest, isOutermost: false, settings };
  if (settings.mode !== "enforce") {
    return { ...rest, ctx: outer, decision: admit(serverRequest, outer, request, settings) };
  }
  const left = outer.remaining();
  const budget = limitBudget(left === Infinity ? undefined : { ms: left, source: "the deadline" }, settings);
  const [ctx] = withBudget(outer, budget);
  serverRequest.entered = ctx;
  const refusal = expiredProblem(budget, settings);
  const decision = refusal ?? admit(serverRequest, ctx, request, settings);
  return { ...rest, ctx, decision: refusal === undefined ? decision : recordRefusal(serverRequest, refusal) };
}

/** Stage 1: the deadline that the request brings, limited by the server's options. */
interface ReadDeadline {
  readonly budget: Budget | undefined;
  readonly invalid: InvalidDeadline | undefined;
}

function readDeadline({ headers }: IncomingRequest, settings: ServerSettings): ReadDeadline {
  let invalid: InvalidDeadline | undefined;
  const caller = callerBudget(headers, settings.deadlineHeaders, (error) => {
    invalid ??= error;
    countInvalid(error.header);
  });
  return { budget: limitBudget(caller, settings), invalid };
}

function limitBudget(caller: Budget | undefined, settings: ServerSettings): Budget | undefined {
  return smallerBudget(caller ?? settings.defaultTimeout, settings.maxTimeout);
}

/** Stage 2: the trace of the caller, and the SERVER span. */
interface Tracing {
  readonly ctx: Context;
  readonly span: ServerSpan | undefined;
  /** Whether another instrumentation ignores this request. If so, this library reports nothing of it either. */
  readonly isTracingSuppressed: boolean;
  readonly isMeasuredElsewhere: boolean;
}

function startTracing(request: IncomingRequest, budget: Budget | undefined, settings: ServerSettings): Tracing {
  const active = current();
  // The values of the active context, such as the span of an instrumentation, but not its deadline: a server that was
  // started under a deadline would otherwise pass it to all its requests.
  const base = active === background ? background : withoutCancel(active);
  if (isTracingSuppressed(active)) {
    return {
      ctx: withCallerTrace(base, request),
      span: undefined,
      isTracingSuppressed: true,
      isMeasuredElsewhere: false,
    };
  }
  const instrumented = serverSpanOf(base);
  let span: ServerSpan | undefined;
  if (instrumented !== undefined) span = ServerSpan.enrich(base, instrumented, request, settings.captureHeaders);
  else if (request.rpc?.isTracedElsewhere !== true) {
    span = ServerSpan.start(withCallerTrace(base, request), request, settings.captureHeaders);
  }
  if (budget !== undefined) span?.budget(budget);
  return {
    ctx: span?.ctx ?? withCallerTrace(base, request),
    span,
    isTracingSuppressed: false,
    // Only OpenTelemetry's own HTTP instrumentation sets this metadata, and it records the metrics too.
    isMeasuredElsewhere: instrumented !== undefined && httpMetadata(base) !== undefined,
  };
}

/** Reads the caller's trace. A span that was active when the server was started is not the parent of its requests. */
function withCallerTrace(base: Context, { headers }: IncomingRequest): Context {
  const ctx = extractTrace(trace.deleteSpan(base) as Context, headers);
  // A DeadlinePropagator may have read the deadline before. The options of the server decide how it is read.
  return hasDeadline(ctx) ? withoutCancel(ctx) : ctx;
}

/** Stage 3: the values that the peer may set. All others are removed from the request. */
function readValues(ctx: Context, request: IncomingRequest, settings: ServerSettings): InboundValues {
  const isTrusted = trustIn(request, settings);
  const asked = readCriticality(request, settings, isTrusted);
  const { requestIdHeader } = settings;
  const values = receiveValues(
    asked === undefined ? ctx : withCriticality(ctx, asked),
    request,
    isTrusted,
    settings.acceptBaggage,
  );
  return requestIdHeader === undefined
    ? values
    : { ...values, ctx: withRequestId(values.ctx, requestIdHeader, request.headers) };
}

/** Removes values that the peer may not set from a request that gets no context, such as an upgrade. */
export function stripUntrusted(request: IncomingRequest, settings: ServerSettings): void {
  readValues(background, request, settings);
}

/**
 * Whether the peer is trusted. It is computed when first needed, and once, because verifying a signature is expensive.
 */
function trustIn(request: IncomingRequest, { trust }: ServerSettings): () => boolean {
  if (trust === undefined) return trustsNoPeer;
  let known: boolean | undefined;
  return () => (known ??= trust(request.peer, request.headers));
}

const trustsNoPeer = (): boolean => false;

function readCriticality(
  request: IncomingRequest,
  { acceptCriticality }: ServerSettings,
  isTrusted: () => boolean,
): ReturnType<typeof inboundCriticality> {
  if (request.headers.get(CRITICALITY_HEADER) === undefined) return undefined;
  const asked = inboundCriticality(request.headers, acceptCriticality, isTrusted);
  // A handler, or a service behind this one, might trust the header.
  if (asked === undefined) request.remove(CRITICALITY_HEADER);
  return asked;
}

/** Stage 4: the deadline of the request's own context. */
function withBudget(ctx: Context, budget: Budget | undefined): ReturnType<typeof withCancel> {
  if (budget === undefined || budget.ms === Infinity) return withCancel(ctx);
  return withTimeout(ctx, budget.ms, { source: budget.source });
}

/** Stage 5: the answer to a request that no handler runs for. */
function refusalOf(
  request: IncomingRequest,
  { budget, invalid }: ReadDeadline,
  values: InboundValues,
  settings: ServerSettings,
): Problem | undefined {
  const unreadable = values.invalid ?? invalidHost(request);
  if (unreadable !== undefined) return problemOf(unreadable);
  if (settings.mode !== "enforce") return undefined;
  if (invalid !== undefined && settings.invalidDeadline === "reject") return problemOf(invalid);
  return expiredProblem(budget, settings);
}

/**
 * An error if the host header is invalid. RPC servers are not checked: their authority may be something else, such as a
 * socket path.
 */
function invalidHost({ rpc, authority }: IncomingRequest): InvalidHeader | undefined {
  if (rpc !== undefined || isAuthority(authority)) return undefined;
  return new InvalidHeader("host", "a host, and may have a port");
}

function expiredProblem(budget: Budget | undefined, { minBudget }: ServerSettings): Problem | undefined {
  if (budget === undefined || (budget.ms > 0 && budget.ms >= minBudget)) return undefined;
  return problemOf(new DeadlineExceeded(undefined, { budget: budget.ms, elapsed: 0, source: budget.source }));
}

/** Stage 6: admission control. */
function admit(
  serverRequest: ServerRequest,
  ctx: Context,
  request: IncomingRequest,
  { admission }: ServerSettings,
): AdmissionDecision | Promise<AdmissionDecision> {
  const decision = admission?.admit(serverRequest, ctx, request, criticality(ctx)) ?? "run";
  if (decision instanceof Promise) return decision.then((settled) => recordRefusal(serverRequest, settled));
  return recordRefusal(serverRequest, decision);
}

/** Records on the request that no handler ran for it. */
function recordRefusal(serverRequest: ServerRequest, decision: AdmissionDecision): AdmissionDecision {
  if (typeof decision === "object") serverRequest.refusal = decision;
  return decision;
}
