import { type Link, type Span, type SpanKind, SpanStatusCode, trace, type Tracer } from "@opentelemetry/api";
import type { Context } from "@throughline/context";

// Attributes of the semantic conventions for messaging, which are not marked stable.

/** The broker: `rabbitmq`, `nats`, `kafka`. */
const ATTR_MESSAGING_SYSTEM = "messaging.system";
/** `send` or `process`. */
const ATTR_MESSAGING_OPERATION_NAME = "messaging.operation.name";
/** `send` or `process`. */
const ATTR_MESSAGING_OPERATION_TYPE = "messaging.operation.type";
/** The queue, topic or subject. */
const ATTR_MESSAGING_DESTINATION_NAME = "messaging.destination.name";

export function tracer(): Tracer {
  return trace.getTracer("@throughline/messages");
}

interface MessageSpan {
  readonly kind: SpanKind.PRODUCER | SpanKind.CONSUMER;
  readonly operation: "send" | "process";
  readonly system: string;
  readonly destination: string | undefined;
  readonly links?: Link[];
}

/** Starts the span of a message, by the semantic conventions for messaging. */
export function startMessageSpan(
  ctx: Context,
  { kind, operation, system, destination, links = [] }: MessageSpan,
): Span {
  return tracer().startSpan(
    destination === undefined ? operation : `${operation} ${destination}`,
    {
      kind,
      links,
      attributes: {
        [ATTR_MESSAGING_SYSTEM]: system,
        [ATTR_MESSAGING_OPERATION_NAME]: operation,
        [ATTR_MESSAGING_OPERATION_TYPE]: operation,
        ...(destination === undefined ? undefined : { [ATTR_MESSAGING_DESTINATION_NAME]: destination }),
      },
    },
    ctx,
  );
}

/** Records that the work of a span has failed. */
export function setFailed(span: Span | undefined, error: unknown): void {
  span?.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error | undefined)?.message ?? "" });
}
