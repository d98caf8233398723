import type { TraceQuery, TraceSummary } from "../api.ts";
import { parseTraceFile } from "../formats/trace-file.ts";
import { attributeTerm } from "../store/trace-search.ts";
import { type FindQuery, type RemoteClient, type RemoteSource, searchedTime } from "./remote-client.ts";

/** A trace in the answer of `/api/search`. */
interface FoundTrace {
  readonly traceID: string;
  readonly rootServiceName?: string;
  readonly rootTraceName?: string;
  readonly startTimeUnixNano?: string;
  readonly durationMs?: number;
  readonly serviceStats?: Readonly<Record<string, { readonly spanCount?: number; readonly errorCount?: number }>>;
}

/** @see https://grafana.com/docs/tempo/latest/api_docs/ */
export function tempoSource(client: RemoteClient): RemoteSource {
  const find = async (q: string, query: TraceQuery): Promise<readonly FoundTrace[]> => {
    const params = new URLSearchParams({ q, limit: String(query.limit ?? 100), spss: "1" });
    // Without a time, Tempo searches its newest traces. It accepts only both bounds.
    if (query.since !== undefined || query.until !== undefined) {
      const [since, until] = searchedTime(query);
      params.set("start", String(Math.floor(since / 1000)));
      params.set("end", String(Math.ceil(until / 1000)));
    }
    const found = (await client.json(`/api/search?${params}`)) as { traces?: FoundTrace[] } | undefined;
    return found?.traces ?? [];
  };
  return {
    kind: "Tempo",
    async trace(traceId) {
      const body = await client.get(`/api/traces/${traceId}`, "application/protobuf");
      if (body === undefined) return undefined;
      const spans = parseTraceFile(body, () => {});
      return spans.length === 0 ? undefined : spans;
    },
    async search(query) {
      return (await find(traceQl(query), query)).map(summaryOf);
    },
    async findDeadlines(query) {
      return { traceIds: (await find(deadlineTraceQl(query), query)).map(traceIdOf) };
    },
    async services() {
      const path = "/api/v2/search/tag/resource.service.name/values";
      const found = (await client.json(path)) as { tagValues?: { value?: string }[] } | undefined;
      return (found?.tagValues ?? []).flatMap(({ value }) => value ?? []).sort();
    },
  };
}

/** Builds the TraceQL query. */
export function traceQl({ service, status, endedBy, min, max, text = "" }: TraceQuery): string {
  const terms: string[] = [];
  if (service !== undefined) terms.push(`resource.service.name = ${JSON.stringify(service)}`);
  if (status === "error") terms.push("status = error");
  else if (status !== undefined && /^\dxx$/i.test(status)) {
    const from = Number(status[0]) * 100;
    terms.push(`span.http.response.status_code >= ${from} && span.http.response.status_code < ${from + 100}`);
  } else if (status !== undefined) terms.push(`span.http.response.status_code = ${Number(status)}`);
  if (endedBy !== undefined) terms.push(`span.throughline.ended_by = ${JSON.stringify(endedBy)}`);
  if (min !== undefined) terms.push(`traceDuration >= ${min}ms`);
  if (max !== undefined) terms.push(`traceDuration <= ${max}ms`);
  const { attribute, rest } = attributeTerm(text);
  if (attribute !== undefined) terms.push(`.${attribute.key} = ${literal(attribute.value)}`);
  if (rest !== "") terms.push(`name =~ ${JSON.stringify(`(?i).*${rest.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}.*`)}`);
  return `{ ${terms.join(" && ")} }`;
}

/** Builds the TraceQL query for traces with a deadline. */
export function deadlineTraceQl({ service, root }: Pick<FindQuery, "service" | "root">): string {
  const terms = ["span.throughline.deadline.budget_ms != nil"];
  if (root !== undefined) {
    terms.push(`rootServiceName = ${JSON.stringify(root.service)}`, `rootName = ${JSON.stringify(root.name)}`);
  }
  const withDeadline = `{ ${terms.join(" && ")} }`;
  // Another span of the trace may be that of the service.
  return service === undefined
    ? withDeadline
    : `${withDeadline} && { resource.service.name = ${JSON.stringify(service)} }`;
}

function literal(value: string): string {
  return /^-?\d+(?:\.\d+)?$|^(?:true|false)$/.test(value) ? value : JSON.stringify(value);
}

/** Tempo omits leading zeros. */
function traceIdOf({ traceID }: FoundTrace): string {
  return traceID.toLowerCase().padStart(32, "0");
}

function summaryOf(found: FoundTrace): TraceSummary {
  const { rootServiceName = "", rootTraceName = "", startTimeUnixNano = "0", serviceStats = {} } = found;
  const stats = Object.values(serviceStats);
  return {
    traceId: traceIdOf(found),
    name: rootTraceName,
    service: rootServiceName,
    services: Object.keys(serviceStats).length > 0 ? Object.keys(serviceStats) : [rootServiceName],
    start: Number(startTimeUnixNano) / 1e6,
    duration: found.durationMs ?? 0,
    spans: stats.reduce((sum, { spanCount = 0 }) => sum + spanCount, 0),
    failed: stats.some(({ errorCount = 0 }) => errorCount > 0),
  };
}
