import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";

import { type DeadlineDialect, grpcTimeout, isDialect } from "../wire/dialects.ts";
import { outboundPolicy, type OutboundPolicy, type SendOptions } from "./outbound-policy.ts";

/** How a client sends a context along. */
export interface ClientOptions {
  /** Kept back from the deadline sent on, so that the next service ends, and says so, before we do. @default 1 (millisecond) */
  margin?: Duration;
  /** Header that the remaining time is sent in. @default grpcTimeout */
  dialect?: DeadlineDialect;
  /** How long a call may take in all: attempts, redirects and the body. A context's deadline that is earlier holds. @default no limit */
  timeout?: Duration;
  /**
   * Origins that declared values and identity go to: `"https://api.example.com"`, `"https://*.internal.example.com"`, `"http://localhost:*"`. A
   * wildcard directly below a public suffix, such as `"https://*.co.uk"` or `"https://*.github.io"`, is refused. Each redirect is looked at anew.
   * @default none
   */
  origins?: readonly string[];
  /** What goes where. */
  send?: SendOptions;
}

export interface ClientSettings {
  readonly margin: number;
  readonly dialect: DeadlineDialect;
  readonly timeout: number | undefined;
  /** What may go to an address. */
  readonly policy: OutboundPolicy;
  /** Whether that depends on the address: where it does not, it need not be known. */
  readonly isSelective: boolean;
}

/**
 * @throws TypeError if an option is not of its type
 * @throws RangeError if a duration is none
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
