import type { IncomingMessage, ServerResponse } from "node:http";

import { deadlineReport } from "../analysis/deadline-report.ts";
import type {
  DeadlineReport,
  OpenedFile,
  RemoteDeadlineQuery,
  RemoteServer,
  Trace,
  TraceList,
  TraceQuery,
  TraceSort,
} from "../api.ts";
import { MAX_FILE_BYTES, parseTraceFile } from "../formats/trace-file.ts";
import { formatTraces } from "../otlp/otlp-export.ts";
import type { RemoteTraces } from "../remote/remote-traces.ts";
import type { ViewedSpan } from "../span.ts";
import { serviceGraph } from "../store/service-graph.ts";
import { searchTraces, sortTraces } from "../store/trace-search.ts";
import type { TraceStore } from "../store/trace-store.ts";
import type { ChangeStream } from "./change-stream.ts";
import { HttpError } from "./http-error.ts";
import { bodyOf } from "./otlp-receiver.ts";
import type { Refusals } from "./refusals.ts";

const TRACE = /^\/api\/traces\/([\da-f]{32})(\/otlp)?$/;

/** What the API reads from. */
export interface ApiContext {
  readonly store: TraceStore;
  readonly changes: ChangeStream;
  readonly refusals: Refusals;
  /** The server of the option `from`. */
  readonly remote: RemoteTraces | undefined;
}

/** Answers a request to the API. Returns `false` if the path is not part of it. */
export async function answerApi(
  url: URL,
  req: IncomingMessage,
  res: ServerResponse,
  { store, changes, refusals, remote }: ApiContext,
): Promise<boolean> {
  const { pathname, searchParams } = url;
  if (pathname === "/api/traces") {
    answer(res, { ...searchTraces(store, queryOf(searchParams)), refused: refusals.value, remote: remote?.server });
  } else if (pathname === "/api/remote/traces" && remote !== undefined) {
    answer(res, await searchRemote(remote, queryOf(searchParams)));
  } else if (pathname === "/api/graph") answer(res, serviceGraph(store));
  else if (pathname === "/api/deadlines") {
    answer(res, { ...deadlineReport(spansOf(store), queryOf(searchParams)), remote: remote?.server });
  } else if (pathname === "/api/remote/deadlines" && remote !== undefined) {
    const controller = new AbortController();
    res.once("close", () => controller.abort());
    answer(res, await remoteDeadlines(remote, queryOf(searchParams), controller.signal));
  } else if (pathname === "/api/changes") changes.subscribe(res);
  else {
    const match = TRACE.exec(pathname);
    if (match === null) return false;
    await answerTrace(req, res, { store, remote }, match[1]!, match[2] !== undefined);
  }
  return true;
}

function* spansOf(store: TraceStore): Generator<ViewedSpan[]> {
  for (const spans of store.traces()) yield [...spans.values()];
}

async function remoteDeadlines(
  remote: RemoteTraces,
  query: RemoteDeadlineQuery,
  signal: AbortSignal,
): Promise<DeadlineReport> {
  const services = await remote.services();
  const { server } = remote;
  const nothing = { traces: [], found: 0, limit: 0, unread: 0, reason: undefined };
  const { traces, ...search } = isSearchable(server, query)
    ? await remote.findDeadlines(query, services, signal)
    : nothing;
  return { ...deadlineReport(traces, query), remote: server, search: { ...search, services } };
}

/** Jaeger searches only within a service. */
function isSearchable({ kind }: RemoteServer, { service }: Pick<TraceQuery, "service">): boolean {
  return kind !== "Jaeger" || service !== undefined;
}

async function searchRemote(remote: RemoteTraces, query: TraceQuery): Promise<TraceList> {
  const services = await remote.services();
  const { server } = remote;
  const found = isSearchable(server, query) ? await remote.search(query) : [];
  const traces = sortTraces(found, query.sort);
  return {
    traces,
    matching: traces.length,
    stored: { traces: traces.length, spans: 0, bytes: 0 },
    dropped: 0,
    services,
    endings: ["response", "deadline", "client", "cancel", "refusal", "error"],
    remote: server,
  };
}

/** Adds the traces of a file, which is the body of the request, to the store. */
export async function openFile(req: IncomingMessage, res: ServerResponse, store: TraceStore): Promise<void> {
  try {
    answer(res, addFile(await bodyOf(req, MAX_FILE_BYTES), store));
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, error instanceof Error ? error.message : String(error));
  }
}

/** @throws SyntaxError if the file has no known format, or has no valid span */
export function addFile(file: Uint8Array, store: TraceStore): OpenedFile {
  let rejected = 0;
  let reason: string | undefined;
  const spans = parseTraceFile(file, (why) => {
    rejected += 1;
    reason ??= why;
  });
  if (spans.length === 0) throw new SyntaxError(`Cannot read traces: ${reason ?? "the file has no spans"}`);
  const dropped = store.add(spans);
  if (dropped > 0) reason ??= "a trace has more spans than the viewer keeps of one; see --max-spans and --max-mib";
  return {
    traceIds: [...new Set(spans.map(({ traceId }) => traceId))].slice(0, 1000),
    spans: spans.length - dropped,
    rejected: rejected + dropped,
    ...(reason === undefined ? undefined : { reason }),
  };
}

/** Tells stores apart: the revisions of each start at 1. */
const INSTANCE = process.pid.toString(36) + Date.now().toString(36);

async function answerTrace(
  req: IncomingMessage,
  res: ServerResponse,
  { store, remote }: Pick<ApiContext, "store" | "remote">,
  traceId: string,
  isExport: boolean,
): Promise<void> {
  const state = store.state(traceId);
  const found = state === undefined ? await remote?.trace(traceId) : undefined;
  if (state === undefined && found === undefined) {
    const place = remote === undefined ? "" : `, and ${remote.url} does not have it`;
    throw new HttpError(404, `Cannot show trace ${traceId}: it has not come yet, or has left to make room${place}`);
  }
  // A trace of another server may still grow there.
  const etag = `"${INSTANCE}-${state?.revision ?? `remote-${found!.length}`}"`;
  res.setHeader("etag", etag);
  if (req.headers["if-none-match"] === etag) return void res.writeHead(304).end();
  const spans = found ?? store.trace(traceId);
  if (!isExport) return answer(res, traceOf(traceId, spans, state?.dropped ?? 0));
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

function queryOf(params: URLSearchParams): TraceQuery & { readonly route: string | undefined } {
  const query = readQuery(params);
  const { since = 0, until = Infinity } = query;
  if (since > until) {
    const [from, to] = [since, until].map((ms) => new Date(ms).toISOString());
    throw new HttpError(400, `Cannot search: the time must begin before it ends; received ${from} to ${to}`);
  }
  return query;
}

function readQuery(params: URLSearchParams): TraceQuery & { readonly route: string | undefined } {
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
  const instant = (name: string): number | undefined => {
    const value = number(name);
    // The greatest that a `Date` represents.
    return value === undefined ? undefined : Math.min(value, 8.64e15);
  };
  return {
    service: text("service"),
    status: text("status"),
    endedBy: text("endedBy"),
    min: number("min"),
    max: number("max"),
    text: text("text"),
    since: instant("since"),
    until: instant("until"),
    sort: sortOf(text("sort")),
    route: text("route"),
    limit: number("limit"),
  };
}

const SORTS: readonly string[] = ["latest", "longest", "largest"] satisfies TraceSort[];

function sortOf(given: string | undefined): TraceSort | undefined {
  if (given === undefined || SORTS.includes(given)) return given as TraceSort | undefined;
  throw new HttpError(400, `Cannot search: 'sort' must be ${SORTS.join(", ")}; received "${given}"`);
}
