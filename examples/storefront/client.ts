import { randomBytes } from "node:crypto";

import type { Answer, Scenario } from "./scenarios.ts";

/** Sends a scenario's request as a visitor's browser would, with a new trace id. */
export async function sendRequest(
  gateway: string,
  token: string,
  { method = "GET", path, budget, leavesAfter }: Scenario,
): Promise<{ traceId: string; answer: Answer }> {
  const traceId = randomBytes(16).toString("hex");
  const answer = await send(gateway + path, {
    method,
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

async function send(url: string, init: RequestInit): Promise<Answer> {
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
