import { randomBytes } from "node:crypto";

import type { SearchResult, Scenario } from "./scenarios.ts";

/** Sends a scenario's request as a visitor's browser would, with a new trace id. */
export async function sendRequest(
  gateway: string,
  token: string,
  { query, budget, leavesAfter }: Scenario,
): Promise<{ traceId: string; answer: SearchResult }> {
  const traceId = randomBytes(16).toString("hex");
  const answer = await search(`${gateway}/search?q=${query}`, {
    headers: {
      authorization: `Bearer ${token}`,
      "txn-token": "made up",
      "grpc-timeout": `${budget}m`,
      traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01`,
    },
    signal: leavesAfter === undefined ? null : AbortSignal.timeout(leavesAfter),
  });
  return { traceId, answer };
}

async function search(url: string, init: RequestInit): Promise<SearchResult> {
  try {
    const response = await fetch(url, init);
    const type = response.headers.get("content-type") ?? "";
    const text = await response.text();
    return { status: response.status, type, body: type.includes("json") ? JSON.parse(text) : { text } };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") return { status: undefined, type: "", body: {} };
    throw error;
  }
}
