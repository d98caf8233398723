import { describe, type Duration, milliseconds, oneOf, refuseUnknown } from "@throughline/context";

import { type DeadlineDialect, defaultDialects, isDialect } from "./dialects.ts";

/** How a server receives a request. All is optional, and checked once, when the middleware is made. */
export interface ServerOptions {
  /** The longest that any request may take. A caller's deadline can make it shorter, never longer. @default no limit */
  maxTimeout?: Duration;
  /** For a request that brings no deadline. @default no limit */
  defaultTimeout?: Duration;
  /** A request with less time left on arrival is answered 504 before any handler runs. @default 1 (millisecond) */
  minBudget?: Duration;
  /** Headers that a caller's deadline is read from; of several the least counts. @default grpc-timeout, connect-timeout-ms, x-envoy-expected-rq-timeout-ms */
  accept?: readonly DeadlineDialect[];
  /**
   * How far a deadline goes, for a rollout in steps. `"observe"`: it is told in spans, and nothing else. `"propagate"`: it is sent on to
   * other services too. `"enforce"`: it ends the context here, and requests are refused for it. @default "enforce"
   */
  mode?: "observe" | "propagate" | "enforce";
  /** A deadline header that does not follow its grammar, or was sent twice: answer 400, or count it and go on without. @default "reject" */
  invalidDeadline?: "reject" | "ignore";
}

export interface ServerSettings {
  readonly maxTimeout: number | undefined;
  readonly defaultTimeout: number | undefined;
  readonly minBudget: number;
  readonly accept: readonly DeadlineDialect[];
  readonly invalidDeadline: "reject" | "ignore";
  readonly mode: "observe" | "propagate" | "enforce";
}

const ACTION = "make a request context";

/**
 * @throws TypeError if an option is not of its type, or is not known
 * @throws RangeError if a duration is none
 */
export function serverSettings(options: ServerOptions): ServerSettings {
  const {
    maxTimeout,
    defaultTimeout,
    minBudget = 1,
    accept = defaultDialects,
    invalidDeadline = "reject",
    mode = "enforce",
    ...others
  } = options;
  refuseUnknown(others, ACTION);
  if (!Array.isArray(accept) || !accept.every(isDialect)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'accept' must be a list of deadline dialects, such as [grpcTimeout]: current value is ${describe(accept)}`,
    );
  }
  oneOf("mode", mode, ["observe", "propagate", "enforce"], ACTION);
  oneOf("invalidDeadline", invalidDeadline, ["reject", "ignore"], ACTION);
  return {
    maxTimeout: maxTimeout === undefined ? undefined : milliseconds(maxTimeout, ACTION, "maxTimeout"),
    defaultTimeout: defaultTimeout === undefined ? undefined : milliseconds(defaultTimeout, ACTION, "defaultTimeout"),
    minBudget: milliseconds(minBudget, ACTION, "minBudget"),
    accept,
    invalidDeadline,
    mode,
  };
}
