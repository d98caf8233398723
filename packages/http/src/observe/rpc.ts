/** A remote procedure call over HTTP. Spans and metrics describe the procedure, not the HTTP request below it. */
export interface Rpc {
  readonly system: "grpc" | "connectrpc";
  /** Service and method: `shop.Inventory/Stock`. */
  readonly method: string;
  /** Whether another instrumentation makes the span. */
  readonly isTracedElsewhere: boolean;
  /** The name of the final status code. The adapter sets it before the call ends. */
  code?: string | undefined;
}
