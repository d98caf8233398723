import type { IncomingMessage, ServerResponse } from "node:http";

import type { Trace, TraceQuery } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import { formatTraces } from "../otlp/otlp-export.ts";
import { serviceGraph } from "../store/service-graph.ts";
import { searchTraces } from "../store/trace-search.ts";
import type { TraceStore } from "../store/trace-store.ts";
import type { ChangeStream } from "./change-stream.ts";
import { HttpError } from "./http-error.ts";

const TRACE = /^\/api\/traces\/([\da-f]{32})(\/otlp)?$/;

/** Answers a request to the API. Returns `false` if the path is not part of it. */
export function answerApi(url: URL, req: IncomingMessage, res: ServerResponse, store: TraceStore, changes: ChangeStream): boolean {
  const { pathname, searchParams } = url;
  if (pathname === "/api/traces") answer(res, searchTraces(store, queryOf(searchParams)));
  else if (pathname === "/api/graph") answer(res, serviceGraph(store));
  else if (pathname === "/api/changes") changes.subscribe(res);
  else {
    const match = TRACE.exec(pathname);
    if (match === null) return false;
    answerTrace(req, res, store, match[1]!, match[2] !== undefined);
  }
  return true;
}

/** Tells stores apart: the revisions of each start at 1. */
const INSTANCE = process.pid.toString(36) + Date.now().toString(36);

function answerTrace(
  req: IncomingMessage,
  res: ServerResponse,
  store: TraceStore,
  traceId: string,
  isExport: boolean,
): void {
  const state = store.state(traceId);
  if (state === undefined) {
    throw new HttpError(404, `Cannot show trace ${traceId}: it has not come yet, or has left to make room`);
  }
  const etag = `"${INSTANCE}-${state.revision}"`;
  res.setHeader("etag", etag);
  if (req.headers["if-none-match"] === etag) return void res.writeHead(304).end();
  const spans = store.trace(traceId);
  if (!isExport) return answer(res, traceOf(traceId, spans, state.dropped));
  res.setHeader("content-disposition", `attachment; filename="trace-${traceId}.json"`);
  answer(res, formatTraces(spans));
}

function traceOf(traceId: string, spans: readonly ViewedSpan[], dropped: number): Trace {
  return { traceId, spans, ...(dropped > 0 ? { dropped } : undefined) };
}

function answer(res: ServerResponse, body: object): void {
  res.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  res.end(JSON.stringify(body));
}

function queryOf(params: URLSearchParams): TraceQuery {
  const text = (name: string): string | undefined => params.get(name) || undefined;
  const number = (name: string): number | undefined => {
    const given = text(name);
    if (given === undefined) return undefined;
    const value = Number(given);
    if (!(value >= 0)) {
      throw new HttpError(400, `Cannot search: '${name}' must be a number, zero or more; received "${given}"`);
    }
    return value;
  };
  return {
    service: text("service"),
    status: text("status"),
    endedBy: text("endedBy"),
    min: number("min"),
    max: number("max"),
    text: text("text"),
    limit: number("limit"),
  };
}
