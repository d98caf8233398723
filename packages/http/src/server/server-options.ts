import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

import type { Budget } from "../wire/caller-budget.ts";
import type { AcceptCriticality } from "../wire/criticality.ts";
import { type DeadlineDialect, defaultDialects, isDialect } from "../wire/dialects.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import type { AcceptBaggage } from "./receive-values.ts";
import type { StreamLimits } from "./stream-limits.ts";
import { type Trust, trustOf, type TrustOptions } from "./trust.ts";

/** How a server receives a request. All is optional, and checked once, when the middleware is made. */
export interface ServerOptions {
  /** The longest that any request may take. A caller's deadline can make it shorter, never longer. @default no limit */
  maxTimeout?: Duration;
  /** For a request that brings no deadline. @default no limit */
  defaultTimeout?: Duration;
  /** A request with less time left on arrival is answered 504 before any handler runs. @default 1 (millisecond) */
  minBudget?: Duration;
  /** Headers that a caller's deadline is read from; of several the least counts. @default grpc-timeout, connect-timeout-ms, x-envoy-expected-rq-timeout-ms */
  deadlineHeaders?: readonly DeadlineDialect[];
  /**
   * How far a deadline goes, for a rollout in steps. `"observe"`: it is told in spans, and nothing else. `"propagate"`: it is sent on to
   * other services too. `"enforce"`: it ends the context here, and requests are refused for it. @default "enforce"
   */
  mode?: "observe" | "propagate" | "enforce";
  /** A deadline header that does not follow its grammar, or was sent twice: answer 400, or count it and go on without. @default "reject" */
  invalidDeadline?: "reject" | "ignore";
  /** Until the head of the response must be out, or it is answered 504. For streams, which may go on for long once they have begun. @default no limit */
  firstByteTimeout?: Duration;
  /** How long a response that has begun may stand still, be it the handler or the client, before it is broken off. @default no limit */
  idleTimeout?: Duration;
  /** How many requests are taken on at a time, and what is refused. @default all are */
  admission?: AdmissionOptions;
  /**
   * Whose word is taken for how critical a request is (header `throughline-criticality`). `"lower"`: of trusted peers, and of those who ask
   * for less than the default. `"any"`: of everybody, for a service that only trusted ones can reach. `"none"`: of nobody. @default "lower"
   */
  acceptCriticality?: AcceptCriticality;
  /**
   * From which peers W3C baggage becomes part of the context, and so goes on to the `origins` of clients. `"trusted"`: that of other peers is
   * removed from the request, as the services behind may trust us. `"any"`: from all; declared values still go by their propagatedValues.
   * @default "trusted"
   */
  acceptBaggage?: AcceptBaggage;
  /** Which peers may set declared values and baggage. Those of others are removed from the request. @default none */
  trust?: TrustOptions;
  /**
   * A header that names the request besides its trace, such as `"x-request-id"`: read if it holds up to 128 characters of common ids, sent with the
   * response and to other services, as `requestId()` gives it. Where the caller sent none it is the trace id. @default none
   */
  requestIdHeader?: string;
  /**
   * Headers of the request that its span records, as `http.request.header.<name>`. Of `authorization`, `proxy-authorization`, `cookie`, `set-cookie`,
   * `txn-token`, and any header that is declared as an identity, it records `REDACTED` in place of the value: that it was sent, and no more. Other
   * headers are recorded as they are, so mind what is secret. @default none
   */
  captureHeaders?: readonly string[];
}

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
 * @throws TypeError if an option is not of its type, or is not known
 * @throws RangeError if a duration is none
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
      `Cannot ${ACTION}: 'captureHeaders' must be a list of names of headers; received ${describeValue(captureHeaders)}`,
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

/** Whether a framework has called us with a request, as it calls its middleware. */
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
