import {
  type Context as OtelContext,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_HEADER,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_PATH,
  ATTR_URL_QUERY,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from "@opentelemetry/semantic-conventions";
import type { Context } from "@throughline/context";

import type { Rpc } from "../observe/rpc.ts";
import type { EndedBy, IncomingRequest, Outcome, ServerObserver } from "../observe/server-request.ts";
import { splitAuthority } from "../wire/authority.ts";
import { folded } from "../wire/baggage.ts";
import type { Budget } from "../wire/caller-budget.ts";
import { single } from "../wire/headers.ts";
import { propagatedValues } from "../wire/propagated-values.ts";
import { ATTR, DEADLINE_EXCEEDED, knownMethod, redactQuery } from "./attributes.ts";
import { type HttpMetadata, httpMetadata, setHttpMetadata } from "./http-metadata.ts";
import { ATTR_RPC_STATUS_CODE } from "./rpc-conventions.ts";
import { rpcAttributes, serverFault } from "./rpc.ts";
import { SCOPE, tracer } from "./tracer.ts";

/** That of a span of ours: one that is found where a request arrives is another request's, of a server that is called from inside it. */
class OwnMetadata implements HttpMetadata {
  readonly type = "http";
  readonly span: Span;
  route?: string;

  constructor(span: Span) {
    this.span = span;
  }
}

/** The SERVER span of a request: ours, or one that an instrumentation has made, which we only add to. There are never two. */
export class ServerSpan implements ServerObserver {
  readonly ctx: Context;
  readonly #span: Span;
  readonly #ours: boolean;
  readonly #method: string;
  readonly #rpc: Rpc | undefined;

  private constructor(ctx: Context, span: Span, ours: boolean, method: string, rpc?: Rpc) {
    this.ctx = ctx;
    this.#span = span;
    this.#ours = ours;
    this.#method = method;
    this.#rpc = rpc;
  }

  /**
   * @param parent what the request's context stands on, with its caller's trace
   * @param capture headers to tell of, in lower case
   * @returns `undefined` where nobody traces
   */
  static start(parent: Context, request: IncomingRequest, capture: readonly string[]): ServerSpan | undefined {
    const tracing = tracer();
    if (tracing === undefined) return undefined;
    const { rpc } = request;
    const method = rpc?.method ?? knownMethod(request.method);
    const span = tracing.startSpan(method, { kind: SpanKind.SERVER, attributes: attributes(request, method) }, parent);
    if (rpc !== undefined) setAddresses(span, request);
    captureHeaders(span, request, capture);
    const ctx = trace.setSpan(parent, span) as Context;
    return new ServerSpan(setHttpMetadata(ctx, new OwnMetadata(span)), span, true, method, rpc);
  }

  /** One that an instrumentation has made for the request: it stays with what made it. */
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
    // An instrumentation that was told no route reads it here when it ends the span, a moment from now; for its metrics too.
    if (!this.#ours && metadata !== undefined && matched !== undefined) metadata.route ??= matched;
    if (!span.isRecording()) return;
    span.setAttribute(ATTR.ENDED_BY, endedBy);
    if (endedBy === "deadline") {
      if (this.#ours) exceeded(span);
      else beforeEnd(span, exceeded);
    }
    if (matched !== undefined && (this.#ours || metadata === undefined)) span.setAttribute(ATTR_HTTP_ROUTE, matched);
    if (!this.#ours) return;
    if (this.#rpc !== undefined) return this.#endRpc(this.#rpc);
    if (matched !== undefined) span.updateName(`${this.#method} ${matched}`);
    if (status !== undefined) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (endedBy === "error" || (isAnswer(endedBy) && (status ?? 0) >= 500)) {
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

function exceeded(span: Span): void {
  span.setAttribute(ATTR_ERROR_TYPE, DEADLINE_EXCEEDED);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Has the last word on a span that others end: they write the status, 504, over what we would say now. */
function beforeEnd(span: Span, change: (span: Span) => void): void {
  const end = span.end.bind(span);
  const endChanged: Span["end"] = (time) => {
    change(span);
    end(time);
  };
  span.end = endChanged;
}

/** What `error.type` says: the name of the error, else the status. */
export function errorTypeOf(error: unknown, status: number | undefined): string {
  return error instanceof Error ? error.name : String(status ?? "_OTHER");
}

function isAnswer(endedBy: EndedBy): boolean {
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

/** Whether a header proves an identity. Asked for each request: a header may be declared after the middleware was made. */
function isCredential(name: string): boolean {
  const plain = folded(name);
  return CREDENTIALS.has(plain) || propagatedValues().some((each) => each.kind === "identity" && each.folded === plain);
}

/** The span that an instrumentation has made for this request, if one has. */
export function serverSpanOf(ctx: OtelContext): Span | undefined {
  const metadata = httpMetadata(ctx);
  if (metadata !== undefined) return metadata instanceof OwnMetadata ? undefined : metadata.span;
  const active = trace.getSpan(ctx) as MarkedSpan | undefined;
  if (active === undefined) return undefined;
  // Some leave no metadata, Sentry among them. Sentry's spans lead to the first of the service.
  const span = active._sentryRootSpan ?? active;
  // Only spans that are recorded tell their kind.
  const isServer = span.kind === SpanKind.SERVER || span.attributes?.["sentry.kind"] === "server";
  const isOurs = span.instrumentationScope?.name === SCOPE;
  return (isServer || isInside(span)) && !isOurs && span.isRecording() ? span : undefined;
}

/**
 * Whether a framework, Next.js for one, is already inside its own SERVER span where it calls us: it has another one active. Those of instrumentations
 * tell nothing of that: that of Express makes spans without any of HTTP's around them.
 */
function isInside(span: MarkedSpan): boolean {
  const { kind, parentSpanContext: parent, instrumentationScope: scope } = span;
  if (kind !== SpanKind.INTERNAL || parent === undefined || parent.isRemote === true) return false;
  return scope?.name.startsWith("@opentelemetry/instrumentation-") !== true;
}

/** What spans of SDKs have besides what the API says. */
type MarkedSpan = Span & {
  readonly kind?: SpanKind;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly instrumentationScope?: { readonly name: string };
  readonly parentSpanContext?: SpanContext;
  readonly _sentryRootSpan?: MarkedSpan;
};

function attributes(request: IncomingRequest, method: string): Record<string, string | number | undefined> {
  if (request.rpc !== undefined) return rpcAttributes(request.rpc);
  const mark = request.target.indexOf("?");
  const [host, port] = splitAuthority(request.authority);
  const told: Record<string, string | number | undefined> = {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    [ATTR_URL_SCHEME]: request.scheme,
    [ATTR_URL_PATH]: mark === -1 ? request.target : request.target.slice(0, mark),
    [ATTR_SERVER_ADDRESS]: host,
    [ATTR_SERVER_PORT]: port,
    [ATTR_CLIENT_ADDRESS]: request.clientAddress,
    [ATTR_NETWORK_PROTOCOL_VERSION]: request.protocolVersion,
  };
  // An SDK looks at each twice, also at one that is not there.
  if (mark !== -1) told[ATTR_URL_QUERY] = redactQuery(request.target.slice(mark)).slice(1);
  const agent = single(request.headers, "user-agent");
  if (agent !== undefined) told[ATTR_USER_AGENT_ORIGINAL] = agent;
  return told;
}

/** Of a call of a procedure, once its span is there: of what a span is started with, an SDK looks at each twice. */
function setAddresses(span: Span, { authority, clientAddress }: IncomingRequest): void {
  const [host, port] = splitAuthority(authority);
  if (host !== undefined) span.setAttribute(ATTR_SERVER_ADDRESS, host);
  if (port !== undefined) span.setAttribute(ATTR_SERVER_PORT, port);
  if (clientAddress !== undefined) span.setAttribute(ATTR_CLIENT_ADDRESS, clientAddress);
}
