import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { type DeadlineDialect, grpcTimeout, isDialect } from "../wire/dialects.ts";
import { outboundPolicy, type OutboundPolicy, type SendOptions } from "./outbound-policy.ts";

/** What a client sends of a context. */
export interface ClientOptions {
  /**
   * Subtracted from the time that is sent, so that the next service answers before this one times out.
   *
   * @default 1 (millisecond)
   */
  margin?: Duration;
  /** The header for the remaining time. @default grpcTimeout */
  dialect?: DeadlineDialect;
  /**
   * The limit for a whole call: all attempts, redirects and the body. An earlier deadline of the context applies first.
   *
   * @default no limit
   */
  timeout?: Duration;
  /**
   * The origins that receive propagated values and identity: `"https://api.example.com"`,
   * `"https://*.internal.example.com"`, `"http://localhost:*"`. A wildcard directly below a public suffix, such as
   * `"https://*.co.uk"` or `"https://*.github.io"`, is rejected. Each redirect is checked.
   *
   * @default none
   */
  origins?: readonly string[];
  /** Which parts of the context are sent to which origins. */
  send?: SendOptions;
}

export interface ClientSettings {
  readonly margin: number;
  readonly dialect: DeadlineDialect;
  readonly timeout: number | undefined;
  /** Returns what may be sent to a URL. */
  readonly policy: OutboundPolicy;
  /** Whether the policy depends on the URL. If not, the URL need not be known. */
  readonly isSelective: boolean;
}

/**
 * Validates the options of a client.
 *
 * @throws TypeError if an option has the wrong type
 * @throws RangeError if a duration is invalid
 */
export function clientSettings(options: ClientOptions, action: string): ClientSettings {
  const { margin = 1, dialect = grpcTimeout, timeout, origins = [], send = {}, ...others } = options;
  refuseUnknown(others, action);
  if (!isDialect(dialect)) {
    throw new TypeError(
      `Cannot ${action}: 'dialect' must be a deadline dialect, such as grpcTimeout; received ${describeValue(dialect)}`,
    );
  }
  return {
    margin: milliseconds(margin, action, "margin"),
    dialect,
    timeout: timeout === undefined ? undefined : milliseconds(timeout, action, "timeout"),
    policy: outboundPolicy(origins, send, action),
    isSelective: origins.length > 0,
  };
}
