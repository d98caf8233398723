import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

import type { Budget } from "../wire/caller-budget.ts";
import type { AcceptCriticality } from "../wire/criticality.ts";
import { type DeadlineDialect, defaultDialects, isDialect } from "../wire/dialects.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import type { AcceptBaggage } from "./receive-values.ts";
import type { StreamLimits } from "./stream-limits.ts";
import { type Trust, trustOf, type TrustOptions } from "./trust.ts";

/** How a server receives requests. All options are optional, and are checked when the middleware is created. */
export interface ServerOptions {
  /** The largest timeout of any request. The caller's deadline can shorten it, not extend it. @default no limit */
  maxTimeout?: Duration;
  /** The timeout of a request without a deadline header. @default no limit */
  defaultTimeout?: Duration;
  /** A request that arrives with less time left is answered 504, and no handler runs. @default 1 (millisecond) */
  minBudget?: Duration;
  /**
   * The headers that a caller's deadline is read from. If a request has several of them, the smallest value counts.
   *
   * @default grpc-timeout, connect-timeout-ms, x-envoy-expected-rq-timeout-ms
   */
  deadlineHeaders?: readonly DeadlineDialect[];
  /**
   * What a deadline does, for a rollout in steps. `"observe"`: it is recorded in spans and metrics only. `"propagate"`:
   * it is also sent to other services. `"enforce"`: it also ends the context, and requests without enough time are
   * rejected.
   *
   * @default "enforce"
   */
  mode?: "observe" | "propagate" | "enforce";
  /**
   * A malformed or repeated deadline header: answer 400, or ignore the header and count it in a metric.
   *
   * @default "reject"
   */
  invalidDeadline?: "reject" | "ignore";
  /**
   * The time in which the head of the response must be sent; after it the request is answered 504. For streams, which
   * may go on for long after they have begun.
   *
   * @default no limit
   */
  firstByteTimeout?: Duration;
  /**
   * The time that a response may make no progress after it has begun, because of the handler or of the client. After it
   * the response is destroyed.
   *
   * @default no limit
   */
  idleTimeout?: Duration;
  /**
   * Admission control: how many requests run and wait, and which ones are rejected. `"adaptive"` is short for
   * `{ concurrency: "adaptive" }`. @default all requests run
   */
  admission?: AdmissionOptions | "adaptive";
  /**
   * From which peers the criticality of a request (header `throughline-criticality`) is accepted. `"lower"`: any value
   * of trusted peers, and values below the default of all others. `"any"`: any value of any peer, for a service that
   * only trusted peers can reach. `"none"`: no value.
   *
   * @default "lower"
   */
  acceptCriticality?: AcceptCriticality;
  /**
   * From which peers W3C baggage becomes part of the context and is sent to the `origins` of clients. `"trusted"`: from
   * trusted peers; the baggage of all others is removed from the request, because the services behind this one may
   * trust it. `"any"`: from all peers. Propagated values in the baggage follow their own `accept` option.
   *
   * @default "trusted"
   */
  acceptBaggage?: AcceptBaggage;
  /**
   * Which peers may set propagated values and baggage. Those of all other peers are removed from the request.
   *
   * @default no peer
   */
  trust?: TrustOptions;
  /**
   * A header with the id of the request, such as `"x-request-id"`. It is read, sent with the response and to other
   * services, and returned by `requestId()`. Ids of up to 128 characters are accepted; without one, the trace id is
   * used.
   *
   * @default none
   */
  requestIdHeader?: string;
  /**
   * Request headers that the span records, as `http.request.header.<name>`. The values of `authorization`,
   * `proxy-authorization`, `cookie`, `set-cookie`, `txn-token` and of headers that carry an identity are recorded as
   * `REDACTED`. All other values are recorded as they are, so do not list headers with secrets.
   *
   * @default none
   */
  captureHeaders?: readonly string[];
}

/** The checked options. */
export interface ServerSettings extends StreamLimits {
  readonly maxTimeout: Budget | undefined;
  readonly defaultTimeout: Budget | undefined;
  readonly minBudget: number;
  readonly deadlineHeaders: readonly DeadlineDialect[];
  readonly invalidDeadline: "reject" | "ignore";
  readonly mode: "observe" | "propagate" | "enforce";
  readonly admission: Admission | undefined;
  readonly acceptCriticality: AcceptCriticality;
  readonly acceptBaggage: AcceptBaggage;
  readonly trust: Trust | undefined;
  /** In lower case. */
  readonly requestIdHeader: string | undefined;
  /** In lower case. */
  readonly captureHeaders: readonly string[];
}

const ACTION = "make a request context";

/**
 * Checks the options.
 *
 * @throws TypeError if an option has the wrong type, or is unknown
 * @throws RangeError if a duration is invalid
 */
export function serverSettings(options: ServerOptions): ServerSettings {
  if (typeof options !== "object" || options === null || isRequest(options)) {
    const remedy = isRequest(options) ? "; call requestContext() first: app.use(requestContext())" : "";
    throw new TypeError(`Cannot ${ACTION}: it takes an object of options; received ${describeValue(options)}${remedy}`);
  }
  const {
    maxTimeout,
    defaultTimeout,
    minBudget = 1,
    deadlineHeaders = defaultDialects,
    invalidDeadline = "reject",
    mode = "enforce",
    firstByteTimeout,
    idleTimeout,
    admission,
    acceptCriticality = "lower",
    acceptBaggage = "trusted",
    trust,
    requestIdHeader,
    captureHeaders = [],
    ...others
  } = options;
  refuseUnknown(others, ACTION);
  if (!Array.isArray(deadlineHeaders) || !deadlineHeaders.every(isDialect)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'deadlineHeaders' must be a list of deadline dialects, such as [grpcTimeout]; received ${describeValue(deadlineHeaders)}`,
    );
  }
  if (!Array.isArray(captureHeaders) || !captureHeaders.every((name) => typeof name === "string")) {
    throw new TypeError(
      `Cannot ${ACTION}: 'captureHeaders' must be a list of header names; received ${describeValue(captureHeaders)}`,
    );
  }
  if (requestIdHeader !== undefined && !(typeof requestIdHeader === "string" && /^[a-z\d-]+$/i.test(requestIdHeader))) {
    throw new TypeError(
      `Cannot ${ACTION}: 'requestIdHeader' must be the name of a header, such as "x-request-id"; received ${describeValue(requestIdHeader)}`,
    );
  }
  oneOf("acceptCriticality", acceptCriticality, ["lower", "any", "none"], ACTION);
  oneOf("acceptBaggage", acceptBaggage, ["trusted", "any"], ACTION);
  oneOf("mode", mode, ["observe", "propagate", "enforce"], ACTION);
  oneOf("invalidDeadline", invalidDeadline, ["reject", "ignore"], ACTION);
  return {
    maxTimeout: budget(maxTimeout, "maxTimeout"),
    defaultTimeout: budget(defaultTimeout, "defaultTimeout"),
    minBudget: milliseconds(minBudget, ACTION, "minBudget"),
    firstByteTimeout: optional(firstByteTimeout, "firstByteTimeout"),
    idleTimeout: optional(idleTimeout, "idleTimeout"),
    deadlineHeaders,
    invalidDeadline,
    mode,
    admission: admission === undefined ? undefined : new Admission(admission),
    acceptCriticality,
    acceptBaggage,
    trust: trust === undefined ? undefined : trustOf(trust),
    requestIdHeader: requestIdHeader?.toLowerCase(),
    captureHeaders: captureHeaders.map((name) => name.toLowerCase()),
  };
}

/**
 * Whether the value is a request: the user passed `requestContext` itself to the framework, instead of
 * `requestContext()`.
 */
function isRequest(value: unknown): boolean {
  const { req, headers, method } = value as { req?: unknown; headers?: unknown; method?: unknown };
  return req !== undefined || (headers !== undefined && method !== undefined);
}

function budget(duration: Duration | undefined, source: string): Budget | undefined {
  const ms = optional(duration, source);
  return ms === undefined ? undefined : { ms, source };
}

function optional(duration: Duration | undefined, name: string): number | undefined {
  return duration === undefined ? undefined : milliseconds(duration, ACTION, name);
}
