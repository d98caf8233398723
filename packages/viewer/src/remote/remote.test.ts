import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { afterEach, describe, expect, it } from "vitest";

import type { DeadlineReport, Trace, TraceList } from "../api.ts";
import { formatTraces } from "../otlp/otlp-export.ts";
import { startViewer, type Viewer } from "../server/viewer.ts";
import { span } from "../span.fixture.ts";
import { RemoteTraces } from "./remote-traces.ts";
import { deadlineTraceQl, traceQl } from "./tempo.ts";

// The servers here answer in the shapes that the sources of Tempo 2.9 (cmd/tempo, pkg/tempopb) and Jaeger 2.12
// (cmd/query/app/apiv3) describe. The tests do not run Tempo or Jaeger.

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const ABSENT = "1".repeat(32);
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Remote {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

async function serve(answer: (url: URL, res: ServerResponse) => void): Promise<Remote> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    answer(new URL(req.url!, "http://remote"), res);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function view(url: string, headers?: Record<string, string>): Promise<Viewer> {
  const viewer = await startViewer({ port: 0, from: { url, ...(headers && { headers }) } });
  closing.push(() => viewer.close());
  return viewer;
}

/** The parameters of the last search. */
function searchOf({ requests }: Remote): Record<string, string> {
  const { url } = requests.findLast(({ url }) => /^\/api\/(?:search|v3\/traces)\?/.test(url!))!;
  return Object.fromEntries(new URL(url!, "http://remote").searchParams);
}

const get = async <T>(viewer: Viewer, path: string): Promise<[number, T]> => {
  const response = await fetch(viewer.url + path);
  return [response.status, (await response.json()) as T];
};

/** A `tempopb.Trace`: its batches are `ResourceSpans`, as in OTLP. */
function tempoTrace(): Uint8Array {
  const within = (field: number, inner: Uint8Array) => new BinaryWriter().tag(field, 2).bytes(inner).finish();
  const pair = new BinaryWriter().tag(1, 2).string("throughline.deadline.budget_ms");
  const budget = pair.tag(2, 2).bytes(new BinaryWriter().tag(3, 0).int64(1500).finish()).finish();
  const received = new BinaryWriter().tag(1, 2).bytes(Buffer.from(TRACE, "hex"));
  received.tag(2, 2).bytes(Buffer.from("b7ad6b7169203331", "hex")).tag(5, 2).string("GET /").tag(9, 2).bytes(budget);
  return within(1, within(2, within(2, received.finish())));
}

function tempo(url: URL, res: ServerResponse): void {
  if (url.pathname === `/api/traces/${TRACE}`) {
    res.setHeader("content-type", "application/protobuf");
    res.end(tempoTrace());
  } else if (url.pathname === "/api/search") {
    const traces = [
      { traceID: "af7651916cd43dd8448eb211c80319c", rootServiceName: "shop", rootTraceName: "GET /" },
      {
        traceID: "2f3e0cee77ae5dc9c17ade3689eb2e54",
        rootServiceName: "shop",
        rootTraceName: "update-billing",
        startTimeUnixNano: "1684778327699392724",
        durationMs: 557,
        spanSets: [{ spans: [{ spanID: "563d623c76514f8e", durationNanos: "121000" }], matched: 1 }],
        serviceStats: { shop: { spanCount: 5 }, billing: { spanCount: 3, errorCount: 1 } },
      },
    ];
    res.end(JSON.stringify({ traces, metrics: { inspectedTraces: 2 } }));
  } else if (url.pathname === "/api/v2/search/tag/resource.service.name/values") {
    res.end(JSON.stringify({ tagValues: [{ type: "string", value: "shop" }] }));
  } else {
    res.writeHead(404).end("404 page not found\n");
  }
}

function jaeger(url: URL, res: ServerResponse): void {
  const result = formatTraces([
    span(TRACE, "b7ad6b7169203331", {
      service: "shop",
      attributes: { "throughline.deadline.budget_ms": 300, "throughline.ended_by": "deadline" },
      failed: true,
    }),
  ]);
  if (url.pathname === "/api/v3/services") res.end(JSON.stringify({ services: ["shop", "billing"] }));
  else if (url.pathname === `/api/v3/traces/${TRACE}`) res.end(JSON.stringify({ result }));
  else if (url.pathname === "/api/v3/traces") {
    for (const name of ["query.start_time_min", "query.start_time_max", "query.service_name"]) {
      if (!url.searchParams.has(name)) return void res.writeHead(400).end(`malformed parameter ${name}`);
    }
    res.end(JSON.stringify({ result }));
  } else res.writeHead(404).end(JSON.stringify({ error: { httpCode: 404, message: "No traces found" } }));
}

describe("traces of Tempo", () => {
  it("are shown by id, with their budgets, and fetched once for an open page", async () => {
    const remote = await serve(tempo);
    const viewer = await view(remote.url, { "x-scope-orgid": "team" });
    const [status, trace] = await get<Trace>(viewer, `/api/traces/${TRACE}`);
    expect([status, trace.spans[0]!.attributes]).toEqual([200, { "throughline.deadline.budget_ms": 1500 }]);
    await get(viewer, `/api/traces/${TRACE}`);
    const fetched = remote.requests.filter(({ url }) => url === `/api/traces/${TRACE}`);
    expect(fetched.map(({ headers }) => [headers.accept, headers["x-scope-orgid"]])).toEqual([
      ["application/protobuf", "team"],
    ]);
    const [missing, { message }] = await get<{ message: string }>(viewer, `/api/traces/${ABSENT}`);
    expect([missing, message]).toEqual([404, expect.stringContaining(`${remote.url} does not have it`)]);
  });

  it("are searched by TraceQL", async () => {
    const remote = await serve(tempo);
    const viewer = await view(remote.url);
    const [, list] = await get<TraceList>(viewer, "/api/remote/traces?service=shop&status=error&since=1000&limit=7");
    expect(list.traces[1]).toEqual({
      traceId: "2f3e0cee77ae5dc9c17ade3689eb2e54",
      name: "update-billing",
      service: "shop",
      services: ["shop", "billing"],
      start: 1_684_778_327_699.3928,
      duration: 557,
      spans: 8,
      failed: true,
    });
    expect(list.traces[0]!.traceId).toBe(TRACE);
    expect([list.services, list.remote]).toEqual([["shop"], { kind: "Tempo", url: remote.url }]);
    expect(searchOf(remote)).toMatchObject({
      q: '{ resource.service.name = "shop" && status = error }',
      limit: "7",
      start: "1",
    });
    const [, sorted] = await get<TraceList>(viewer, "/api/remote/traces?sort=latest");
    expect(sorted.traces.map(({ name }) => name)).toEqual(["update-billing", "GET /"]);
  });

  it.each([
    [{}, "{  }"],
    [
      { status: "5xx", min: 100 },
      "{ span.http.response.status_code >= 500 && span.http.response.status_code < 600 && traceDuration >= 100ms }",
    ],
    [{ endedBy: "deadline" }, '{ span.throughline.ended_by = "deadline" }'],
    [{ text: 'http.route="/a" a"b.c' }, '{ .http.route = "/a" && name =~ "(?i).*a\\"b\\\\.c.*" }'],
    [{ text: "http.status_code=504" }, "{ .http.status_code = 504 }"],
  ])("are found by a query that quotes what the user enters: %j", (query, expected) => {
    expect(traceQl(query)).toBe(expected);
  });
});

describe("traces that are kept", () => {
  it("are fetched again when others have driven them out", async () => {
    const remote = await serve((url, res) => {
      if (!url.pathname.startsWith("/api/traces/")) return tempo(url, res);
      const traceId = url.pathname.slice("/api/traces/".length);
      const ids = ["b7ad6b7169203331", "b7ad6b7169203332", "b7ad6b7169203333"];
      res.end(JSON.stringify(formatTraces(ids.map((id) => span(traceId, id)))));
    });
    const traces = new RemoteTraces({ url: remote.url }, { maxSpans: 6 });
    const counts = [];
    for (const id of ["1", "2", "3", "1", "1"]) counts.push((await traces.trace(id.repeat(32)))?.length);
    expect(counts).toEqual([3, 3, 3, 3, 3]);
    expect(remote.requests.filter(({ url }) => url!.startsWith("/api/traces/"))).toHaveLength(4);
  });
});

describe("the deadlines of many traces of Tempo", () => {
  it("are those of the traces that a search of a time finds, of which some may be absent", async () => {
    const remote = await serve(tempo);
    const viewer = await view(remote.url);
    const [, report] = await get<DeadlineReport>(viewer, "/api/remote/deadlines?until=7200000&limit=2");
    // The search names two traces, and the server has one of them.
    expect(report).toMatchObject({ traces: 1, withDeadline: 1, remote: { kind: "Tempo" } });
    expect(report.search).toEqual({
      found: 2,
      limit: 2,
      unread: 1,
      reason: `${remote.url} does not have the trace that its search found`,
      services: ["shop"],
    });
    expect(searchOf(remote)).toEqual({
      q: "{ span.throughline.deadline.budget_ms != nil }",
      limit: "2",
      spss: "1",
      start: "3600",
      end: "7200",
    });
  });

  it("of a route are searched by the names of the root span", async () => {
    const remote = await serve(tempo);
    const viewer = await view(remote.url);
    await get(viewer, `/api/remote/deadlines?route=${encodeURIComponent('shop GET /"a"')}`);
    expect(searchOf(remote)["q"]).toBe(
      '{ span.throughline.deadline.budget_ms != nil && rootServiceName = "shop" && rootName = "GET /\\"a\\"" }',
    );
    expect(deadlineTraceQl({ service: "billing" })).toBe(
      '{ span.throughline.deadline.budget_ms != nil } && { resource.service.name = "billing" }',
    );
  });

  it("are at most 500, of which six are fetched at the same time", async () => {
    let [fetching, most] = [0, 0];
    const remote = await serve((url, res) => {
      if (url.pathname === "/api/search") {
        const traces = Array.from({ length: 20 }, (_, index) => ({ traceID: (index + 1).toString(16) }));
        return void res.end(JSON.stringify({ traces }));
      }
      if (!url.pathname.startsWith("/api/traces/")) return tempo(url, res);
      fetching += 1;
      most = Math.max(most, fetching);
      setTimeout(() => {
        fetching -= 1;
        const span_ = span(url.pathname.slice("/api/traces/".length), "b7ad6b7169203331");
        res.end(JSON.stringify(formatTraces([span_])));
      }, 10);
    });
    const viewer = await view(remote.url);
    const [, report] = await get<DeadlineReport>(viewer, "/api/remote/deadlines?limit=9999");
    expect([report.traces, report.search!.limit, most]).toEqual([20, 500, 6]);
    expect(searchOf(remote)["limit"]).toBe("500");
  });

  it("are an error if no trace can be read", async () => {
    const remote = await serve((url, res) => {
      if (url.pathname.startsWith("/api/traces/")) res.writeHead(503).end("overloaded");
      else tempo(url, res);
    });
    const [status, { message }] = await get<{ message: string }>(await view(remote.url), "/api/remote/deadlines");
    expect([status, message]).toEqual([502, `Cannot read from ${remote.url}: it answered 503 overloaded`]);
  });
});

describe("traces of Jaeger", () => {
  it("with their deadlines are read by one search within a service and a time", async () => {
    const remote = await serve(jaeger);
    const viewer = await view(remote.url);
    const path = "/api/remote/deadlines";
    const [, none] = await get<DeadlineReport>(viewer, path);
    expect([none.traces, none.search!.services]).toEqual([0, ["billing", "shop"]]);
    const [, report] = await get<DeadlineReport>(viewer, `${path}?service=shop&since=0&until=5000&route=shop+GET+/`);
    expect(report).toMatchObject({ withDeadline: 0, search: { found: 1, limit: 100, unread: 0 } });
    expect(searchOf(remote)).toEqual({
      "query.service_name": "shop",
      "query.operation_name": "GET /",
      "query.start_time_min": "1970-01-01T00:00:00.000Z",
      "query.start_time_max": "1970-01-01T00:00:05.000Z",
      "query.num_traces": "100",
    });
    expect(remote.requests.filter(({ url }) => url!.startsWith(`/api/v3/traces/`))).toEqual([]);
  });

  it("are shown by id, and found within a service", async () => {
    const remote = await serve(jaeger);
    const viewer = await view(remote.url);
    const [, trace] = await get<Trace>(viewer, `/api/traces/${TRACE}`);
    expect(trace.spans[0]!.attributes["throughline.deadline.budget_ms"]).toBe(300);
    const [, list] = await get<TraceList>(viewer, "/api/remote/traces?service=shop&endedBy=deadline");
    expect(list.traces).toMatchObject([{ traceId: TRACE, budget: 300, endedBy: "deadline" }]);
    expect([list.remote!.kind, list.services]).toEqual(["Jaeger", ["billing", "shop"]]);
    expect((await get<TraceList>(viewer, "/api/remote/traces?service=shop&endedBy=client"))[1].traces).toEqual([]);
    expect((await get<TraceList>(viewer, "/api/remote/traces"))[1].traces).toEqual([]);
  });
});

describe("a server that fails", () => {
  it("is named in the error, and does not disturb the traces of the viewer", async () => {
    const remote = await serve((_url, res) => void res.writeHead(503).end("overloaded"));
    const viewer = await view(remote.url);
    const [status, { message }] = await get<{ message: string }>(viewer, `/api/traces/${TRACE}`);
    expect([status, message]).toEqual([502, `Cannot read from ${remote.url}: it answered 503 overloaded`]);
    viewer.store.add([span(TRACE, "b7ad6b7169203331")]);
    expect((await get(viewer, `/api/traces/${TRACE}`))[0]).toBe(200);
    expect((await get<TraceList>(viewer, "/api/traces"))[1]).toMatchObject({
      matching: 1,
      remote: { url: remote.url },
    });
  });

  it("must have an http URL", async () => {
    await expect(startViewer({ port: 0, from: "tempo:3200" })).rejects.toThrow(
      `Cannot start the viewer: 'from' must be an http or https URL; received "tempo:3200"`,
    );
  });
});
