import type { Context } from "@throughline/context";
import { criticality } from "@throughline/resilience/internal";

import { injectTrace } from "../telemetry/trace-context.ts";
import { CRITICALITY_HEADER } from "../wire/criticality.ts";
import { valueHeaders } from "./outbound-policy.ts";

/** Never a proof of identity: a message may be processed long after it was revoked. */
const PERMITTED = { trace: true, deadline: true, criticality: true, values: true, identity: false };

const setter = {
  set(headers: Record<string, string>, name: string, value: string): void {
    headers[name.toLowerCase()] = value;
  },
};

/**
 * Returns the headers that carry a context with a message: its trace and its criticality; with `values` also its propagated
 * values and baggage. It does not write a deadline.
 */
export function messageHeaders(ctx: Context, values: boolean): Record<string, string> {
  const headers: Record<string, string> = {};
  injectTrace(ctx, headers, setter);
  const { baggage, ...others } = headers;
  const sent: Record<string, string> = others;
  const which = criticality(ctx);
  if (which !== "default") sent[CRITICALITY_HEADER] = which;
  if (values) Object.assign(sent, Object.fromEntries(valueHeaders(ctx, PERMITTED, baggage, true)));
  return sent;
}
