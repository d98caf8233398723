import type { TraceQuery, TraceSummary } from "../api.ts";
import { parseTraceFile } from "../formats/trace-file.ts";
import { HttpError } from "../server/http-error.ts";
import type { ViewedSpan } from "../span.ts";
import { searchTraces } from "../store/trace-search.ts";
import { TraceStore } from "../store/trace-store.ts";
import { type RemoteClient, type RemoteSource, searchedTime } from "./remote-client.ts";

/** Jaeger's search returns whole traces. */
const MAX_TRACES = 50;

/** @see https://www.jaegertracing.io/docs/latest/apis/#query-service */
export function jaegerSource(client: RemoteClient): RemoteSource {
  const spansOf = (body: Uint8Array | undefined): ViewedSpan[] =>
    body === undefined ? [] : parseTraceFile(body, () => {});
  const find = async (query: TraceQuery & { readonly operation?: string | undefined }): Promise<ViewedSpan[]> => {
    if (query.service === undefined) throw new HttpError(400, "Cannot search Jaeger: choose a service first");
    return spansOf(await client.get(`/api/v3/traces?${paramsOf(query)}`));
  };
  return {
    kind: "Jaeger",
    async trace(traceId) {
      const spans = spansOf(await client.get(`/api/v3/traces/${traceId}`));
      return spans.length === 0 ? undefined : spans;
    },
    async search(query): Promise<TraceSummary[]> {
      const limit = Math.min(query.limit ?? MAX_TRACES, MAX_TRACES);
      const spans = await find({ ...query, limit });
      const found = new TraceStore({ maxSpans: Math.max(1, spans.length * 2), maxBytes: Number.MAX_SAFE_INTEGER });
      found.add(spans);
      // Jaeger has no filter for the status or the end of a request.
      return [...searchTraces(found, query).traces];
    },
    async findDeadlines({ root, ...query }) {
      // Jaeger searches for a span, not for a root span, and has no filter for the presence of an attribute.
      const spans = await find({ ...query, ...(root && { service: root.service, operation: root.name }) });
      return { traceIds: [...new Set(spans.map(({ traceId }) => traceId))], spans };
    },
    async services() {
      const found = (await client.json("/api/v3/services")) as { services?: string[] } | undefined;
      return [...(found?.services ?? [])].sort();
    },
  };
}

/** All 2.x versions accept these names; later ones call `num_traces` `searchDepth`. */
function paramsOf({
  service = "",
  operation,
  min,
  max,
  limit,
  ...time
}: TraceQuery & { readonly operation?: string | undefined }): URLSearchParams {
  const [since, until] = searchedTime(time);
  return new URLSearchParams({
    "query.service_name": service,
    ...(operation === undefined ? undefined : { "query.operation_name": operation }),
    "query.start_time_min": new Date(since).toISOString(),
    "query.start_time_max": new Date(until).toISOString(),
    "query.num_traces": String(limit),
    ...(min === undefined ? undefined : { "query.duration_min": `${min}ms` }),
    ...(max === undefined ? undefined : { "query.duration_max": `${max}ms` }),
  });
}
