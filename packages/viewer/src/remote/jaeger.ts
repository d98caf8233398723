import type { TraceQuery, TraceSummary } from "../api.ts";
import { parseTraceFile } from "../formats/trace-file.ts";
import { HttpError } from "../server/http-error.ts";
import type { ViewedSpan } from "../span.ts";
import { searchTraces } from "../store/trace-search.ts";
import { TraceStore } from "../store/trace-store.ts";
import type { RemoteClient, RemoteSource } from "./remote-client.ts";

/** Milliseconds to search if the query has no time. */
const HOUR = 3_600_000;

/** Jaeger's search returns whole traces. */
const MAX_TRACES = 50;

/** @see https://www.jaegertracing.io/docs/latest/apis/#query-service */
export function jaegerSource(client: RemoteClient): RemoteSource {
  const spansOf = (body: Uint8Array | undefined): ViewedSpan[] =>
    body === undefined ? [] : parseTraceFile(body, () => {});
  return {
    kind: "Jaeger",
    async trace(traceId) {
      const spans = spansOf(await client.get(`/api/v3/traces/${traceId}`));
      return spans.length === 0 ? undefined : spans;
    },
    async search(query): Promise<TraceSummary[]> {
      if (query.service === undefined) throw new HttpError(400, "Cannot search Jaeger: choose a service first");
      const spans = spansOf(await client.get(`/api/v3/traces?${paramsOf(query)}`));
      const found = new TraceStore({ maxSpans: Math.max(1, spans.length * 2), maxBytes: Number.MAX_SAFE_INTEGER });
      found.add(spans);
      // Jaeger has no filter for the status or the end of a request.
      return [...searchTraces(found, query).traces];
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
  min,
  max,
  since,
  until = Date.now(),
  limit = MAX_TRACES,
}: TraceQuery): URLSearchParams {
  return new URLSearchParams({
    "query.service_name": service,
    "query.start_time_min": new Date(since ?? until - HOUR).toISOString(),
    "query.start_time_max": new Date(until).toISOString(),
    "query.num_traces": String(Math.min(limit, MAX_TRACES)),
    ...(min === undefined ? undefined : { "query.duration_min": `${min}ms` }),
    ...(max === undefined ? undefined : { "query.duration_max": `${max}ms` }),
  });
}
