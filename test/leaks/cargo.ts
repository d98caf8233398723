import { propagation, trace } from "@opentelemetry/api";
import { background, type Context, createKey, withTimeout, withValue } from "@throughline/context";
import { propagateValue, type SendOptions, textCodec, withCriticality } from "@throughline/http";

import { bindTxnToken } from "../../packages/identity/src/txn-token.ts";

/** One thing that a context carries, and the switch that it goes by. */
export interface Item {
  readonly what: string;
  readonly kind: keyof SendOptions;
  /** What shows in the head of a request that it went along with. */
  readonly sign: string;
  /** Whether it goes anywhere only where OpenTelemetry has a propagator for it. */
  readonly needsPropagator?: boolean;
}

export const cargo: readonly Item[] = [
  { what: "the trace", kind: "trace", sign: "0af7651916cd43dd8448eb211c80319c" },
  { what: "the deadline", kind: "deadline", sign: "grpc-timeout" },
  { what: "OpenTelemetry's baggage", kind: "values", sign: "baggage-of-otel", needsPropagator: true },
  { what: "a value in baggage", kind: "values", sign: "tenant-in-baggage" },
  { what: "a value in a header", kind: "values", sign: "region-in-header" },
  { what: "the criticality", kind: "criticality", sign: "sheddable" },
  { what: "the Txn-Token", kind: "identity", sign: "token-of-a-principal" },
];

const tenantKey = createKey<string>("tenant");
const regionKey = createKey<string>("region");
propagateValue(tenantKey, { name: "leak-tenant", codec: textCodec, maxBytes: 100 });
propagateValue(regionKey, { name: "leak-region", codec: textCodec, maxBytes: 100, as: "header" });

/** A context with all of it. */
export function laden(): Context {
  const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
  const baggage = propagation.createBaggage({ note: { value: "baggage-of-otel" } });
  let ctx = propagation.setBaggage(trace.setSpanContext(background, spanContext), baggage) as Context;
  ctx = withValue(withValue(ctx, tenantKey, "tenant-in-baggage"), regionKey, "region-in-header");
  const expiresAt = new Date(Date.now() + 3_600_000);
  ctx = bindTxnToken(ctx, "token-of-a-principal", { subject: "ada", scopes: [], expiresAt });
  return withTimeout(withCriticality(ctx, "sheddable"), "1h")[0];
}
