import {
  type Context as OtelContext,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { type Context, type DeadlineDetails, DeadlineExceeded } from "@throughline/context";

import type { Rpc } from "../observe/rpc.ts";
import type { EndedBy, IncomingRequest, Outcome, ServerObserver } from "../observe/server-request.ts";
import { splitAuthority } from "../wire/authority.ts";
import { folded } from "../wire/baggage.ts";
import type { Budget } from "../wire/caller-budget.ts";
import { causes } from "../wire/causes.ts";
import { single } from "../wire/headers.ts";
import { propagatedValues } from "../wire/propagated-values.ts";
import { ATTR, DEADLINE_EXCEEDED, knownMethod, redactQuery } from "./attributes.ts";
import { type HttpMetadata, httpMetadata, setHttpMetadata } from "./http-metadata.ts";
import { rpcAttributes, serverFault } from "./rpc.ts";
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_HEADER,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_RPC_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_PATH,
  ATTR_URL_QUERY,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from "./semantic-conventions.ts";
import { INSTRUMENTATION_SCOPE, tracer } from "./tracer.ts";

/**
 * The metadata of a span that this package made. If it is found when a request arrives, it belongs to an outer request
 * that called this server in the same process.
 */
class OwnSpanMetadata implements HttpMetadata {
  readonly type = "http";
  readonly span: Span;
  route?: string;

  constructor(span: Span) {
    this.span = span;
  }
}

/**
 * The SERVER span of a request. Either this package makes and ends it, or an instrumentation does and this class only
 * adds attributes, so that a request never has two.
 */
export class ServerSpan implements ServerObserver {
  readonly ctx: Context;
  readonly #span: Span;
  readonly #isOwn: boolean;
  readonly #method: string;
  readonly #rpc: Rpc | undefined;

  private constructor(ctx: Context, span: Span, isOwn: boolean, method: string, rpc?: Rpc) {
    this.ctx = ctx;
    this.#span = span;
    this.#isOwn = isOwn;
    this.#method = method;
    this.#rpc = rpc;
  }

  /**
   * Starts a span.
   *
   * @param parent has the caller's trace
   * @param capture lower-case names of the request headers to record
   * @returns `undefined` without a tracing SDK
   */
  static start(parent: Context, request: IncomingRequest, capture: readonly string[]): ServerSpan | undefined {
    const tracing = tracer();
    if (tracing === undefined) return undefined;
    const { rpc } = request;
    const method = rpc?.method ?? knownMethod(request.method);
    const span = tracing.startSpan(
      method,
      { kind: SpanKind.SERVER, attributes: startAttributes(request, method) },
      parent,
    );
    if (rpc !== undefined) setAddresses(span, request);
    captureHeaders(span, request, capture);
    const ctx = trace.setSpan(parent, span) as Context;
    return new ServerSpan(setHttpMetadata(ctx, new OwnSpanMetadata(span)), span, true, method, rpc);
  }

  /** Adds attributes to the span of an instrumentation, which still ends it. */
  static enrich(ctx: Context, span: Span, request: IncomingRequest, capture: readonly string[]): ServerSpan {
    captureHeaders(span, request, capture);
    return new ServerSpan(ctx, span, false, "");
  }

  budget(budget: Budget): void {
    if (!Number.isFinite(budget.ms)) return;
    this.#span.setAttribute(ATTR.BUDGET, budget.ms);
    this.#span.setAttribute(ATTR.SOURCE, budget.source);
  }

  end({ endedBy, status, route, error }: Outcome): void {
    const span = this.#span;
    const metadata = httpMetadata(this.ctx);
    const matched = route ?? metadata?.route;
    // An instrumentation that does not know the route reads it here when it ends the span, directly after this, also
    // for its metrics.
    if (!this.#isOwn && metadata !== undefined && matched !== undefined) metadata.route ??= matched;
    if (!span.isRecording()) return;
    span.setAttribute(ATTR.ENDED_BY, endedBy);
    if (endedBy === "deadline") {
      const source = deadlineIn(error)?.source;
      if (source !== undefined) span.setAttribute(ATTR.SOURCE, source);
      if (this.#isOwn) setDeadlineExceeded(span);
      else beforeEnd(span, setDeadlineExceeded);
    }
    if (matched !== undefined && (this.#isOwn || metadata === undefined)) span.setAttribute(ATTR_HTTP_ROUTE, matched);
    if (!this.#isOwn) return;
    if (this.#rpc !== undefined) return this.#endRpc(this.#rpc);
    if (matched !== undefined) span.updateName(`${this.#method} ${matched}`);
    if (status !== undefined) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (endedBy === "error" || (isAnswered(endedBy) && (status ?? 0) >= 500)) {
      span.setAttribute(ATTR_ERROR_TYPE, errorTypeOf(error, status));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }

  #endRpc(rpc: Rpc): void {
    const span = this.#span;
    if (rpc.code !== undefined) span.setAttribute(ATTR_RPC_STATUS_CODE, rpc.code);
    const fault = serverFault(rpc);
    if (fault !== undefined) {
      span.setAttribute(ATTR_ERROR_TYPE, fault);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
}

function setDeadlineExceeded(span: Span): void {
  span.setAttribute(ATTR_ERROR_TYPE, DEADLINE_EXCEEDED);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/**
 * Applies a change at the moment an instrumentation ends its span: just before, the instrumentation overwrites earlier
 * attributes with those of the 504 status.
 */
function beforeEnd(span: Span, change: (span: Span) => void): void {
  const end = span.end.bind(span);
  const endChanged: Span["end"] = (time) => {
    change(span);
    end(time);
  };
  span.end = endChanged;
}

/** Returns the details of the deadline in the error: it may be earlier than that of the request's context. */
export function deadlineIn(error: unknown): DeadlineDetails | undefined {
  for (const each of causes(error)) {
    if (!(each instanceof DeadlineExceeded) || each.budget === undefined || each.elapsed === undefined) continue;
    return { budget: each.budget, elapsed: each.elapsed, source: each.source };
  }
  return undefined;
}

/** Returns `error.type`: the name of the error, else the status. */
export function errorTypeOf(error: unknown, status: number | undefined): string {
  return error instanceof Error ? error.name : String(status ?? "_OTHER");
}

function isAnswered(endedBy: EndedBy): boolean {
  return endedBy === "response" || endedBy === "refusal";
}

function captureHeaders(span: Span, { headers }: IncomingRequest, capture: readonly string[]): void {
  for (const name of capture) {
    const value = headers.get(name);
    if (value === undefined) continue;
    const values = typeof value === "string" ? [value] : [...value];
    span.setAttribute(ATTR_HTTP_REQUEST_HEADER(name), isCredential(name) ? values.map(() => "REDACTED") : values);
  }
}

const CREDENTIALS = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie", "txn-token"].map(folded));

/**
 * Whether a header proves an identity. Checked for each request: `propagateIdentity` may run after the middleware is
 * made.
 */
function isCredential(name: string): boolean {
  const key = folded(name);
  return CREDENTIALS.has(key) || propagatedValues().some((each) => each.kind === "identity" && each.folded === key);
}

/** Returns the SERVER span that an instrumentation has made for this request, if any. */
export function serverSpanOf(ctx: OtelContext): Span | undefined {
  const metadata = httpMetadata(ctx);
  if (metadata !== undefined) return metadata instanceof OwnSpanMetadata ? undefined : metadata.span;
  const active = trace.getSpan(ctx) as SdkSpan | undefined;
  if (active === undefined) return undefined;
  // Some instrumentations, such as Sentry's, set no metadata. Sentry's spans have a reference to the root span.
  const span = active._sentryRootSpan ?? active;
  // Only recording spans have a kind.
  const isServer = span.kind === SpanKind.SERVER || span.attributes?.["sentry.kind"] === "server";
  const isOwn = span.instrumentationScope?.name === INSTRUMENTATION_SCOPE;
  return (isServer || isFrameworkSpan(span)) && !isOwn && span.isRecording() ? span : undefined;
}

/**
 * Whether the span is an INTERNAL span inside the SERVER span of a framework, such as Next.js. Spans of
 * instrumentations do not count: the one of Express makes INTERNAL spans without an HTTP span around them.
 */
function isFrameworkSpan(span: SdkSpan): boolean {
  const { kind, parentSpanContext: parent, instrumentationScope: scope } = span;
  if (kind !== SpanKind.INTERNAL || parent === undefined || parent.isRemote === true) return false;
  return scope?.name.startsWith("@opentelemetry/instrumentation-") !== true;
}

/** Properties of SDK spans that are not in the API. */
type SdkSpan = Span & {
  readonly kind?: SpanKind;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly instrumentationScope?: { readonly name: string };
  readonly parentSpanContext?: SpanContext;
  readonly _sentryRootSpan?: SdkSpan;
};

function startAttributes(request: IncomingRequest, method: string): Record<string, string | number | undefined> {
  if (request.rpc !== undefined) return rpcAttributes(request.rpc);
  const mark = request.target.indexOf("?");
  const [host, port] = splitAuthority(request.authority);
  const values: Record<string, string | number | undefined> = {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    [ATTR_URL_SCHEME]: request.scheme,
    [ATTR_URL_PATH]: mark === -1 ? request.target : request.target.slice(0, mark),
    [ATTR_SERVER_ADDRESS]: host,
    [ATTR_SERVER_PORT]: port,
    [ATTR_CLIENT_ADDRESS]: request.clientAddress,
    [ATTR_NETWORK_PROTOCOL_VERSION]: request.protocolVersion,
  };
  // Set only if present: an SDK processes each attribute twice, also an undefined one.
  if (mark !== -1) values[ATTR_URL_QUERY] = redactQuery(request.target.slice(mark)).slice(1);
  const agent = single(request.headers, "user-agent");
  if (agent !== undefined) values[ATTR_USER_AGENT_ORIGINAL] = agent;
  return values;
}

/** Sets the addresses of an RPC after the start of its span, because an SDK processes start attributes twice. */
function setAddresses(span: Span, { authority, clientAddress }: IncomingRequest): void {
  const [host, port] = splitAuthority(authority);
  if (host !== undefined) span.setAttribute(ATTR_SERVER_ADDRESS, host);
  if (port !== undefined) span.setAttribute(ATTR_SERVER_PORT, port);
  if (clientAddress !== undefined) span.setAttribute(ATTR_CLIENT_ADDRESS, clientAddress);
}
