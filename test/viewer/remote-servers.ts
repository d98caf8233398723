import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { formatTraces, type ViewedSpan } from "@throughline/viewer";

/** A stand-in for Tempo or Jaeger. */
export interface RemoteServer extends AsyncDisposable {
  readonly url: string;
  /** The paths of all requests, with their queries. */
  readonly requests: readonly URL[];
}

async function serve(answer: (url: URL) => object | undefined): Promise<RemoteServer> {
  const requests: URL[] = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url!, "http://remote");
    requests.push(url);
    const body = answer(url);
    if (body === undefined) res.writeHead(404).end();
    else res.end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers as Jaeger's HTTP API of version 3 does. The tests do not run Jaeger. */
export function startJaeger(spans: readonly ViewedSpan[]): Promise<RemoteServer> {
  return serve(({ pathname }) => {
    if (pathname === "/api/v3/services") return { services: ["gateway", "search"] };
    return pathname.startsWith("/api/v3/traces") ? { result: formatTraces(spans) } : undefined;
  });
}

/** Answers as Tempo's HTTP API does, but in JSON. The tests do not run Tempo. */
export function startTempo(traces: readonly (readonly ViewedSpan[])[]): Promise<RemoteServer> {
  return serve(({ pathname, searchParams }) => {
    if (pathname.startsWith("/api/v2/search/tag/")) return { tagValues: [{ type: "string", value: "gateway" }] };
    if (pathname === "/api/search") {
      const found = traces.slice(0, Number(searchParams.get("limit")));
      return { traces: found.map(([root]) => ({ traceID: root!.traceId, rootTraceName: root!.name })) };
    }
    const found = traces.find(([root]) => pathname === `/api/traces/${root!.traceId}`);
    return found && formatTraces(found);
  });
}
