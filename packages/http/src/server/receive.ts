import { type Span, trace } from "@opentelemetry/api";
import {
  background,
  type Context,
  current,
  DeadlineExceeded,
  hasDeadline,
  isSuppressed,
  withCancel,
  withoutCancel,
  withTimeout,
} from "@throughline/context";

import type { IncomingRequest } from "../node/node-incoming.ts";
import { watchUpgrades } from "../node/upgrades.ts";
import { httpMetadata } from "../telemetry/http-metadata.ts";
import { ensureContextManager } from "../telemetry/installed-api.ts";
import { countInvalid, ServerMeasurement } from "../telemetry/server-metrics.ts";
import { ServerSpan, serverSpanOf } from "../telemetry/server-span.ts";
import { extractTrace } from "../telemetry/trace-context.ts";
import { isAuthority } from "../wire/authority.ts";
import { type Budget, callerBudget, smallerBudget } from "../wire/caller-budget.ts";
import { criticality, CRITICALITY_HEADER, inboundCriticality, withCriticality } from "../wire/criticality.ts";
import { type InvalidDeadline, InvalidHeader } from "../wire/errors.ts";
import { withRequestId } from "../wire/request-id.ts";
import type { AdmissionDecision } from "./admission.ts";
import { type Problem, problemOf } from "./problem.ts";
import { receiveValues } from "./receive-values.ts";
import { type ServerOptions, type ServerSettings, serverSettings } from "./server-options.ts";
import { ServerRequest } from "./server-request.ts";

/** A request as one middleware has received it. */
export interface ReceivedRequest {
  readonly serverRequest: ServerRequest;
  /** What to run the rest in: the request's own context, or one with an earlier deadline. */
  readonly ctx: Context;
  /** What is to become of it: known at once, or when its turn has come. */
  readonly turn: AdmissionDecision | Promise<AdmissionDecision>;
  /** Whether this middleware is the outermost, which has to tell the request of its end. */
  readonly isOutermost: boolean;
  readonly settings: ServerSettings;
}

/**
 * Receives requests: gives each its context, its deadline and its SERVER span. Called again for the same request, as by a middleware
 * on a route, it can only make the deadline earlier.
 *
 * @param request what stands for the request in the host
 * @param describe tells of it; its clock starts now
 */
export type Receiver = <R extends object>(request: R, describe: (request: R) => IncomingRequest) => ReceivedRequest;

/** Where the request is kept with its request: the same for all installed copies of this package. */
const SERVER_REQUEST = Symbol.for("@throughline/http/server-request.1");

/** The request that a request was accepted into, if it was. */
export function serverRequestOf(request: object): ServerRequest | undefined {
  return (request as { [SERVER_REQUEST]?: ServerRequest })[SERVER_REQUEST];
}

/** Checks the options once; what it returns is called for every request. */
export function createReceiver(options: ServerOptions = {}): Receiver {
  const settings = serverSettings(options);
  ensureContextManager();
  watchUpgrades(
    (request, mayTrust) => stripUntrusted(request, mayTrust ? settings : { ...settings, trust: undefined }),
    settings.trust !== undefined,
  );
  return function accept(request, describe) {
    const known = serverRequestOf(request);
    if (known !== undefined) return narrow(known, describe(request), settings);
    const incoming = describe(request);
    const serverRequest = open(incoming, settings);
    (request as { [SERVER_REQUEST]?: ServerRequest })[SERVER_REQUEST] = serverRequest;
    const { ctx, refusal } = serverRequest;
    return {
      serverRequest,
      ctx,
      turn: refusal ?? admit(serverRequest, ctx, incoming, settings),
      isOutermost: true,
      settings,
    };
  };
}

function open(request: IncomingRequest, settings: ServerSettings): ServerRequest {
  const active = current();
  let invalid: InvalidDeadline | undefined;
  const callers = callerBudget(request.headers, settings.deadlineHeaders, (error) => {
    invalid ??= error;
    countInvalid(error.header);
  });
  const budget = serverBudget(callers, settings);

  const base = baseOf(active);
  // An instrumentation that was told to ignore this request has tracing suppressed for it: of that we say nothing either.
  const isSilent = isSuppressed(active);
  const instrumented = isSilent ? undefined : serverSpanOf(base);
  const span = isSilent ? undefined : spanOf(instrumented, base, request, settings);
  if (budget !== undefined) span?.budget(budget);
  const isTrusted = trustIn(request, settings);
  const {
    ctx,
    unverified,
    invalid: twice,
  } = receiveValues(
    withCallersCriticality(span?.ctx ?? parentOf(base, request), request, settings, isTrusted),
    request,
    isTrusted,
    settings.acceptBaggage,
  );

  const isEnforced = settings.mode === "enforce";
  const { requestIdHeader } = settings;
  const named = requestIdHeader === undefined ? ctx : withRequestId(ctx, requestIdHeader, request.headers);
  const [limited, cancel] = isEnforced ? limit(named, budget) : withCancel(named);
  const refusal = isEnforced ? refusalOf(budget, invalid, settings) : undefined;
  const unreadable = twice ?? invalidHost(request);
  const serverRequest = new ServerRequest(
    limited,
    cancel,
    unreadable === undefined ? refusal : problemOf(unreadable),
    unverified,
  );
  serverRequest.connection = request.connection;
  if (settings.mode === "propagate" && budget !== undefined)
    serverRequest.downstreamDeadline = performance.now() + budget.ms;
  serverRequest.observe(span);
  if (!isSilent)
    serverRequest.observe(ServerMeasurement.start(request, budget, instrumented !== undefined && isMeasured(base)));
  return serverRequest;
}

/** Procedures are called by other names too, such as that of a socket's file. */
function invalidHost({ rpc, authority }: IncomingRequest): InvalidHeader | undefined {
  if (rpc !== undefined || isAuthority(authority)) return undefined;
  return new InvalidHeader("host", "a host, and may have a port");
}

function spanOf(
  instrumented: Span | undefined,
  base: Context,
  request: IncomingRequest,
  { captureHeaders }: ServerSettings,
): ServerSpan | undefined {
  if (instrumented !== undefined) return ServerSpan.enrich(base, instrumented, request, captureHeaders);
  if (request.rpc?.isTracedElsewhere === true) return undefined;
  return ServerSpan.start(parentOf(base, request), request, captureHeaders);
}

/** An instrumentation that leaves metadata is OpenTelemetry's, which measures too; whoever only makes a span active does not. */
function isMeasured(base: Context): boolean {
  return httpMetadata(base) !== undefined;
}

function narrow(serverRequest: ServerRequest, request: IncomingRequest, settings: ServerSettings): ReceivedRequest {
  const outer = serverRequest.innermost(current());
  const rest = { serverRequest, isOutermost: false, settings };
  if (settings.mode !== "enforce") return { ...rest, ctx: outer, turn: admit(serverRequest, outer, request, settings) };
  const left = outer.remaining();
  const callers = left === Infinity ? undefined : { ms: left, source: "the deadline" };
  const budget = serverBudget(callers, settings);
  const ctx = limit(outer, budget)[0];
  serverRequest.entered = ctx;
  const refusal = refusalOf(budget, undefined, settings);
  const turn = refusal === undefined ? admit(serverRequest, ctx, request, settings) : refused(serverRequest, refusal);
  return { ...rest, ctx, turn };
}

function admit(
  serverRequest: ServerRequest,
  ctx: Context,
  request: IncomingRequest,
  { admission }: ServerSettings,
): AdmissionDecision | Promise<AdmissionDecision> {
  const turn = admission?.admit(serverRequest, ctx, request, criticality(ctx)) ?? "run";
  return turn === "run" ? turn : refused(serverRequest, turn);
}

/** Has the request remember that nothing of it was run. */
function refused(
  serverRequest: ServerRequest,
  turn: AdmissionDecision | Promise<AdmissionDecision>,
): AdmissionDecision | Promise<AdmissionDecision> {
  if (turn instanceof Promise) return turn.then((settled) => refused(serverRequest, settled));
  if (typeof turn === "object") serverRequest.refusal = turn;
  return turn;
}

/** What holds of the caller's limit and the server's own. */
function serverBudget(callers: Budget | undefined, { defaultTimeout, maxTimeout }: ServerSettings): Budget | undefined {
  return smallerBudget(callers ?? defaultTimeout, maxTimeout);
}

function refusalOf(
  budget: Budget | undefined,
  invalid: InvalidDeadline | undefined,
  { invalidDeadline, minBudget }: ServerSettings,
): Problem | undefined {
  if (invalid !== undefined && invalidDeadline === "reject") return problemOf(invalid);
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

/** That, with the caller's trace. Whatever span was active when the server was started is no parent of its requests. */
function parentOf(base: Context, { headers }: IncomingRequest): Context {
  const ctx = extractTrace(trace.deleteSpan(base) as Context, headers);
  // A propagator of deadlines has read one. Ours is read by the options.
  return hasDeadline(ctx) ? withoutCancel(ctx) : ctx;
}

/** Removes what the request's peer may not say, for a request that gets no context. */
function stripUntrusted(request: IncomingRequest, settings: ServerSettings): void {
  const isTrusted = trustIn(request, settings);
  withCallersCriticality(background, request, settings, isTrusted);
  receiveValues(background, request, isTrusted, settings.acceptBaggage);
}

/** Whether the request's peer is trusted. To verify a signature may cost: it is asked when it matters, and once. */
function trustIn(request: IncomingRequest, { trust }: ServerSettings): () => boolean {
  if (trust === undefined) return isNobodyTrusted;
  let known: boolean | undefined;
  return () => (known ??= trust(request.peer, request.headers));
}

const isNobodyTrusted = (): boolean => false;

function withCallersCriticality(
  ctx: Context,
  request: IncomingRequest,
  { acceptCriticality }: ServerSettings,
  isTrusted: () => boolean,
): Context {
  if (request.headers.get(CRITICALITY_HEADER) === undefined) return ctx;
  const asked = inboundCriticality(request.headers, acceptCriticality, isTrusted);
  if (asked !== undefined) return withCriticality(ctx, asked);
  // A handler, or a proxy behind us, would believe it.
  request.remove(CRITICALITY_HEADER);
  return ctx;
}
