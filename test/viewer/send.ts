import type { ViewedSpan } from "@throughline/viewer";

import { formatTraces } from "../../packages/viewer/src/otlp/otlp-export.ts";

/** Sends spans as an exporter does. */
export async function send(url: string, ...traces: readonly (readonly ViewedSpan[])[]): Promise<void> {
  const response = await fetch(`${url}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(formatTraces(traces.flat())),
  });
  if (!response.ok) throw new Error(`The viewer answered ${response.status}: ${await response.text()}`);
}
