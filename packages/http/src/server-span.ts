import { type Context as OtelContext, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
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

import { ATTR, DEADLINE_EXCEEDED, type EndedBy, knownMethod, redactQuery } from "./attributes.ts";
import type { RequestHeaders } from "./headers.ts";
import { single } from "./headers.ts";
import type { Budget } from "./inbound-deadline.ts";
import { httpMetadata, setHttpMetadata } from "./otel-keys.ts";
import { extractTrace } from "./trace-context.ts";
import { tracer } from "./tracer.ts";

/** A request as it reached a server, whatever the host. */
export interface IncomingRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly scheme: string;
  /** Host and port that the client asked for. */
  readonly authority: string | undefined;
  readonly protocolVersion?: string | undefined;
  readonly clientAddress?: string | undefined;
  readonly headers: RequestHeaders;
}

/** How a request went. */
export interface Outcome {
  readonly endedBy: EndedBy;
  /** Absent where no response went out: none is made up. */
  readonly status?: number | undefined;
  readonly route?: (() => string | undefined) | undefined;
  readonly error?: unknown;
}

/** Spans of ours: one that is found where a request arrives is another request's, of a server that is called from inside it. */
const made = new WeakSet<Span>();

/** The SERVER span of a request: ours, or one that an instrumentation has made, which we only add to. There are never two. */
export class ServerSpan {
  readonly ctx: Context;
  readonly #span: Span | undefined;
  readonly #ours: boolean;
  readonly #method: string;

  private constructor(ctx: Context, span: Span | undefined, ours: boolean, method: string) {
    this.ctx = ctx;
    this.#span = span;
    this.#ours = ours;
    this.#method = method;
  }

  static start(base: Context, request: IncomingRequest): ServerSpan {
    const method = knownMethod(request.method);
    const known = serverSpanOf(base);
    if (known !== undefined) return new ServerSpan(base, known, false, method);
    // Whatever span was active when the server was started is no parent of its requests.
    const parent = extractTrace(trace.deleteSpan(base) as Context, request.headers);
    const span = tracer()?.startSpan(
      method,
      { kind: SpanKind.SERVER, attributes: attributes(request, method) },
      parent,
    );
    if (span === undefined) return new ServerSpan(parent, undefined, false, method);
    made.add(span);
    const ctx = trace.setSpan(parent, span) as Context;
    return new ServerSpan(setHttpMetadata(ctx, { type: "http", span }), span, true, method);
  }

  budget(budget: Budget): void {
    if (Number.isFinite(budget.ms))
      this.#span?.setAttributes({ [ATTR.BUDGET]: budget.ms, [ATTR.SOURCE]: budget.source });
  }

  end({ endedBy, status, route, error }: Outcome): void {
    const span = this.#span;
    if (!span?.isRecording()) return;
    span.setAttribute(ATTR.ENDED_BY, endedBy);
    if (endedBy === "deadline") {
      span.setAttribute(ATTR_ERROR_TYPE, DEADLINE_EXCEEDED);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    if (!this.#ours) return;
    const matched = route?.() ?? httpMetadata(this.ctx)?.route;
    if (matched !== undefined) {
      span.setAttribute(ATTR_HTTP_ROUTE, matched);
      span.updateName(`${this.#method} ${matched}`);
    }
    if (status !== undefined) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (endedBy === "error" || (endedBy === "response" && (status ?? 0) >= 500)) {
      span.setAttribute(ATTR_ERROR_TYPE, error instanceof Error ? error.name : String(status ?? "_OTHER"));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
}

/** The span that an instrumentation has made for this request, if one has. */
function serverSpanOf(ctx: OtelContext): Span | undefined {
  const metadata = httpMetadata(ctx);
  if (metadata !== undefined) return made.has(metadata.span) ? undefined : metadata.span;
  // Some, Sentry's among them, leave no metadata. Only spans that are recorded tell their kind.
  const active = trace.getSpan(ctx) as (Span & { kind?: SpanKind }) | undefined;
  return active?.kind === SpanKind.SERVER && active.isRecording() && !made.has(active) ? active : undefined;
}

function attributes(request: IncomingRequest, method: string): Record<string, string | number | undefined> {
  const mark = request.target.indexOf("?");
  const [host, port] = splitAuthority(request.authority);
  return {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    [ATTR_URL_SCHEME]: request.scheme,
    [ATTR_URL_PATH]: mark === -1 ? request.target : request.target.slice(0, mark),
    [ATTR_URL_QUERY]: mark === -1 ? undefined : redactQuery(request.target.slice(mark)).slice(1),
    [ATTR_SERVER_ADDRESS]: host,
    [ATTR_SERVER_PORT]: port,
    [ATTR_CLIENT_ADDRESS]: request.clientAddress,
    [ATTR_NETWORK_PROTOCOL_VERSION]: request.protocolVersion,
    [ATTR_USER_AGENT_ORIGINAL]: single(request.headers, "user-agent"),
  };
}

function splitAuthority(authority: string | undefined): [string | undefined, number | undefined] {
  if (authority === undefined) return [undefined, undefined];
  const match = /^(.*):(\d+)$/.exec(authority);
  return match === null ? [authority, undefined] : [match[1], Number(match[2])];
}
