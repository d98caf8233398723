import { propagation, trace } from "@opentelemetry/api";
import { background, type Context, createKey, withTimeout, withValue } from "@throughline/context";
import { propagateValue, type SendOptions, textCodec, withCriticality } from "@throughline/http";
import { NodeHeaders } from "@throughline/http/adapter";
import { txnToken } from "@throughline/identity";
import { SignJWT } from "jose";

/** One item that a context carries, and the option that controls it. */
export interface Item {
  readonly what: string;
  readonly kind: keyof SendOptions;
  /** Text in the head of a request that carries the item. The servers convert the head to lower case. */
  readonly sign: string;
  /** Whether only a propagator of OpenTelemetry sends it. */
  readonly needsPropagator?: boolean;
}

const KEY = new Uint8Array(32).fill(7);
const TOKEN = await new SignJWT({ sub: "ada", scope: "", txn: "1", req_wl: "gateway" })
  .setProtectedHeader({ alg: "HS256", typ: "txntoken+jwt" })
  .setAudience("shop")
  .setIssuedAt()
  .setExpirationTime("1h")
  .sign(KEY);

export const carriedItems: readonly Item[] = [
  { what: "the trace", kind: "trace", sign: "0af7651916cd43dd8448eb211c80319c" },
  { what: "the deadline", kind: "deadline", sign: "grpc-timeout" },
  { what: "OpenTelemetry's baggage", kind: "values", sign: "baggage-of-otel", needsPropagator: true },
  { what: "a value in baggage", kind: "values", sign: "tenant-in-baggage" },
  { what: "a value in a header", kind: "values", sign: "region-in-header" },
  { what: "the criticality", kind: "criticality", sign: "sheddable" },
  { what: "the Txn-Token", kind: "identity", sign: TOKEN.toLowerCase() },
];

const tenantKey = createKey<string>("tenant");
const regionKey = createKey<string>("region");
propagateValue(tenantKey, { name: "leak-tenant", codec: textCodec, maxBytes: 100 });
propagateValue(regionKey, { name: "leak-region", codec: textCodec, maxBytes: 100, as: "header" });

/** A context with a verified Txn-Token. */
const authenticated = (await txnToken({ trustDomain: "shop", algorithms: ["HS256"], keys: KEY })({
  ctx: background,
  headers: new NodeHeaders({ "txn-token": TOKEN }),
})) as Context;

/** A context that carries all items. */
export function contextWithAll(): Context {
  const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
  const baggage = propagation.createBaggage({ note: { value: "baggage-of-otel" } });
  let ctx = propagation.setBaggage(trace.setSpanContext(authenticated, spanContext), baggage) as Context;
  ctx = withValue(withValue(ctx, tenantKey, "tenant-in-baggage"), regionKey, "region-in-header");
  return withTimeout(withCriticality(ctx, "sheddable"), "1h")[0];
}
