import { type Context as OtelContext, createContextKey, type Span } from "@opentelemetry/api";

/** A key of @opentelemetry/core, the same in all its versions: `createContextKey` returns `Symbol.for(name)`. */
const RPC_METADATA = createContextKey("OpenTelemetry SDK Context Key RPC_METADATA");

/** Shared by the instrumentations of one HTTP request: its SERVER span, and the route when it is known. */
export interface HttpMetadata {
  type: "http";
  span: Span;
  route?: string;
}

export function httpMetadata(ctx: OtelContext): HttpMetadata | undefined {
  const metadata = ctx.getValue(RPC_METADATA) as HttpMetadata | undefined;
  return metadata?.type === "http" ? metadata : undefined;
}

export function setHttpMetadata<C extends OtelContext>(ctx: C, metadata: HttpMetadata): C {
  return ctx.setValue(RPC_METADATA, metadata) as C;
}
