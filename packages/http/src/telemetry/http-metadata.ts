import { type Context as OtelContext, createContextKey, type Span } from "@opentelemetry/api";

// Keys of OpenTelemetry's core, which are the same in every version of it: `createContextKey` gives `Symbol.for(name)`.

const RPC_METADATA = createContextKey("OpenTelemetry SDK Context Key RPC_METADATA");

/** What instrumentations of one HTTP request tell each other: its SERVER span, and the route once it is known. */
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
