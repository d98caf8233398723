/** The format of one deadline header. */
export interface DeadlineDialect {
  /** Header name in lower case: letters, digits and hyphens. */
  readonly header: string;
  /** The format in words, for error messages. */
  readonly grammar: string;
  /** Returns the milliseconds left: 0 if expired, `Infinity` for no limit, `undefined` if the value is malformed. */
  parse(value: string): number | undefined;
  /** Formats a number of milliseconds, at least 1. Must round down: the receiver may not get more time. */
  format(ms: number): string;
}

/** `grpc-timeout` of gRPC, which grpc-gateway also reads on plain HTTP. Clients send this header by default. */
export const grpcTimeout: DeadlineDialect = {
  header: "grpc-timeout",
  grammar: "1 to 8 digits and one of the units H, M, S, m, u, n",
  parse: parseGrpcTimeout,
  format: formatGrpcTimeout,
};

/** `connect-timeout-ms` of Connect: whole milliseconds, at most 10 digits. */
export const connectTimeout: DeadlineDialect = wholeMilliseconds("connect-timeout-ms", 10);

/** `x-envoy-expected-rq-timeout-ms`, which Envoy and Istio send to the application: whole milliseconds. */
export const envoyExpectedTimeout: DeadlineDialect = wholeMilliseconds("x-envoy-expected-rq-timeout-ms", 15);

/** `context-ttl-ms` of yarpc and TChannel: whole milliseconds. */
export const contextTtl: DeadlineDialect = wholeMilliseconds("context-ttl-ms", 15);

/** `x-request-timeout-ms`, an unspecified but common header: whole milliseconds. */
export const requestTimeoutMs: DeadlineDialect = wholeMilliseconds("x-request-timeout-ms", 15);

/** `x-server-timeout` of Google's REST services: seconds, with an optional fraction. */
export const serverTimeout: DeadlineDialect = decimalSeconds("x-server-timeout");

/** `request-timeout` of an expired IETF draft: seconds. */
export const requestTimeout: DeadlineDialect = decimalSeconds("request-timeout");

/** The deadline headers that a server reads by default. If several are present, the smallest value applies. */
export const defaultDialects: readonly DeadlineDialect[] = [grpcTimeout, connectTimeout, envoyExpectedTimeout];

export function isDialect(value: unknown): value is DeadlineDialect {
  const { header, grammar, parse, format } = (value ?? {}) as Partial<DeadlineDialect>;
  const isHeader = typeof header === "string" && /^[a-z0-9-]+$/.test(header);
  return isHeader && typeof grammar === "string" && typeof parse === "function" && typeof format === "function";
}

function wholeMilliseconds(header: string, digits: number): DeadlineDialect {
  const pattern = new RegExp(`^\\d{1,${digits}}$`);
  return {
    header,
    grammar: `whole milliseconds, 1 to ${digits} digits`,
    parse: (value) => (pattern.test(value) ? Number(value) : undefined),
    format: (ms) => String(Math.min(Math.floor(ms), 10 ** digits - 1)),
  };
}

function decimalSeconds(header: string): DeadlineDialect {
  return {
    header,
    grammar: "seconds, 1 to 9 digits, and up to 3 more after a point",
    parse: (value) => (/^\d{1,9}(\.\d{1,3})?$/.test(value) ? Math.round(Number(value) * 1000) : undefined),
    format: (ms) => (Math.min(Math.floor(ms), 999_999_999_999) / 1000).toFixed(3),
  };
}

/** Milliseconds in each unit of `grpc-timeout`. */
const GRPC_UNITS = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 } as const;

const ZERO = "0".charCodeAt(0);

/**
 * Parses a `grpc-timeout`. Returns milliseconds, with fractions, or `undefined` if the value is malformed.
 *
 * Accepts zero as expired, like grpc-go, although the published grammar requires a positive number.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function parseGrpcTimeout(value: string): number | undefined {
  // Reads digit by digit instead of with a regular expression: this runs once a request.
  const digits = value.length - 1;
  if (digits < 1 || digits > 8) return undefined;
  let count = 0;
  for (let index = 0; index < digits; index++) {
    const digit = value.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    count = count * 10 + digit;
  }
  const unit: number | undefined = GRPC_UNITS[value[digits] as keyof typeof GRPC_UNITS];
  return unit === undefined ? undefined : count * unit;
}

/**
 * Formats a `grpc-timeout` in whole milliseconds, or in seconds, minutes or hours if more than 8 digits are needed.
 * Always rounds down: only the first caller may round its own time up.
 *
 * @param ms at least 1
 */
export function formatGrpcTimeout(ms: number): string {
  for (const unit of ["m", "S", "M"] as const) {
    const count = Math.floor(ms / GRPC_UNITS[unit]);
    if (count <= 99_999_999) return `${count}${unit}`;
  }
  return `${Math.min(Math.floor(ms / GRPC_UNITS.H), 99_999_999)}H`;
}

/** The deadline of a message, which may wait in a queue: milliseconds since the epoch in decimal digits. */
export const MESSAGE_DEADLINE_HEADER = "throughline-deadline";

/** The largest time value of a `Date` (ECMA-262, 21.4.1.1). */
const MAX_EPOCH_MS = 8.64e15;

/** Returns milliseconds since the epoch; `undefined` if the value is malformed. */
export function parseMessageDeadline(value: string): number | undefined {
  const epoch = /^\d{1,16}$/.test(value) ? Number(value) : Infinity;
  return epoch > MAX_EPOCH_MS ? undefined : epoch;
}

/** Formats the deadline of a message. A `Date` has whole milliseconds, so the result is never later. */
export function formatMessageDeadline(deadline: Date): string {
  return String(Math.max(0, deadline.getTime()));
}
