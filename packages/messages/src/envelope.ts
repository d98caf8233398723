import { type Context, type Duration } from "@throughline/context";
import { milliseconds, oneOf, parentOf, refuseUnknown } from "@throughline/context/internal";
import { formatMessageDeadline, MESSAGE_DEADLINE_HEADER, messageHeaders } from "@throughline/http/adapter";

export interface EnvelopeOptions {
  /**
   * Whether the message must be processed before the deadline of the context. `"none"`: a message outlives the request
   * that sends it. `"inherit"`: the sender waits for its result. @default "none"
   */
  deadline?: "none" | "inherit";
  /** How long the message may live from now, its time in the queue included. @default no limit */
  within?: Duration;
  /**
   * Whether propagated values go along. Only for a queue whose consumers are your own: everyone who can read the queue
   * reads them. Tokens that prove an identity never go along: a message may be processed long after they were revoked.
   *
   * @default false
   */
  values?: boolean;
}

/** What a message carries of the context that sends it. */
export interface Envelope {
  /** Headers of the message; for a broker without headers a field of the body. */
  readonly headers: Record<string, string>;
  /**
   * Milliseconds until the deadline of the message, rounded up, for the time to live of a broker; `undefined` without
   * one.
   */
  readonly ttl: number | undefined;
}

const ACTION = "make an envelope";

/**
 * Makes the headers that carry a context with a message: its trace, its criticality, and what the options ask for. The
 * deadline is a point of time (`throughline-deadline`, in milliseconds since the epoch), so that time in a queue
 * counts; the clocks of both sides must agree.
 *
 * @throws ContextError `ctx.err()` if the deadline is inherited and the context has ended
 * @throws TypeError, RangeError if an option is wrong
 */
export function envelope(ctx: Context, options: EnvelopeOptions = {}): Envelope {
  const context = parentOf(ctx, ACTION);
  const { deadline = "none", within, values = false, ...others } = options;
  refuseUnknown(others, ACTION);
  oneOf("deadline", deadline, ["none", "inherit"], ACTION);
  if (deadline === "inherit") context.throwIfAborted();
  const lifetime = within === undefined ? Infinity : milliseconds(within, ACTION, "within");
  const left = Math.min(lifetime, deadline === "inherit" ? context.remaining() : Infinity);

  const headers = messageHeaders(context, values);
  if (left === Infinity) return { headers, ttl: undefined };
  headers[MESSAGE_DEADLINE_HEADER] = formatMessageDeadline(new Date(Date.now() + left));
  return { headers, ttl: Math.max(1, Math.ceil(left)) };
}
