/**
 * Marks problem responses of this library, so that a client can distinguish its 504 from a proxy's. A structured field
 * (RFC 9651).
 */
export const OUTCOME_HEADER = "throughline-outcome";

/** The outcome that a service with this library reports in its response. */
export interface ServiceOutcome {
  readonly outcome: "deadline-exceeded" | "draining" | "overloaded";
  /** Whether a handler was started. If not, the request can be sent again, whatever its method. */
  readonly started: boolean;
}

const GRAMMAR = /^(deadline-exceeded|draining|overloaded);started=\?([01])$/;

/** Parses the header. Returns `undefined` if it is absent or malformed. */
export function parseOutcome(header: string | null | undefined): ServiceOutcome | undefined {
  const match = GRAMMAR.exec(header ?? "");
  return match === null ? undefined : { outcome: match[1] as ServiceOutcome["outcome"], started: match[2] === "1" };
}
