/** A remote procedure call over HTTP. Spans and metrics describeValue the procedure, not the HTTP request below it. */
export interface Rpc {
  readonly system: "grpc" | "connectrpc";
  /** Service and method: `shop.Inventory/Stock`. */
  readonly method: string;
  /** Whether another instrumentation makes its span. */
  readonly isTracedElsewhere: boolean;
  /** The name of the status code that it ended with. The adapter sets it before the call ends. */
  code?: string | undefined;
}
