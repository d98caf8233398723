import { formatGrpcTimeout, GRPC_TIMEOUT_GRAMMAR, parseGrpcTimeout } from "./grpc-timeout.ts";

/** How one header tells the time that is left. */
export interface DeadlineDialect {
  /** Name of the header, in lower case: letters, digits and hyphens. */
  readonly header: string;
  /** What a value must look like, for whoever sent something else. */
  readonly grammar: string;
  /** Milliseconds left; 0 for no time left; `Infinity` where the value stands for no limit; `undefined` if it is malformed. */
  parse(value: string): number | undefined;
  /** The value for a number of milliseconds of at least 1: never for longer than that. */
  format(ms: number): string;
}

/** gRPC's, which grpc-gateway reads on plain HTTP too. What we send. */
export const grpcTimeout: DeadlineDialect = {
  header: "grpc-timeout",
  grammar: GRPC_TIMEOUT_GRAMMAR,
  parse: parseGrpcTimeout,
  format: formatGrpcTimeout,
};

/** Connect's: whole milliseconds, at most 10 digits. */
export const connectTimeout: DeadlineDialect = whole("connect-timeout-ms", 10);

/** What Envoy and Istio tell the application behind them: whole milliseconds. */
export const envoyExpectedTimeout: DeadlineDialect = whole("x-envoy-expected-rq-timeout-ms", 15);

/** yarpc's and TChannel's: whole milliseconds. */
export const contextTtl: DeadlineDialect = whole("context-ttl-ms", 15);

/** Home-grown, but used by many in this one sense: whole milliseconds. */
export const requestTimeoutMs: DeadlineDialect = whole("x-request-timeout-ms", 15);

/** Google's REST services: seconds, which may have a fraction. */
export const serverTimeout: DeadlineDialect = seconds("x-server-timeout");

/** The expired IETF draft: seconds. */
export const requestTimeout: DeadlineDialect = seconds("request-timeout");

/** What a server reads unless told otherwise; of several the least counts. */
export const defaultDialects: readonly DeadlineDialect[] = [grpcTimeout, connectTimeout, envoyExpectedTimeout];

/** Whether this has what a dialect needs. */
export function isDialect(value: unknown): value is DeadlineDialect {
  const { header, grammar, parse, format } = (value ?? {}) as Partial<DeadlineDialect>;
  const isHeader = typeof header === "string" && /^[a-z0-9-]+$/.test(header);
  return isHeader && typeof grammar === "string" && typeof parse === "function" && typeof format === "function";
}

function whole(header: string, digits: number): DeadlineDialect {
  const grammar = new RegExp(`^\\d{1,${digits}}$`);
  return {
    header,
    grammar: `whole milliseconds, 1 to ${digits} digits`,
    parse: (value) => (grammar.test(value) ? Number(value) : undefined),
    format: (ms) => String(Math.min(Math.floor(ms), 10 ** digits - 1)),
  };
}

function seconds(header: string): DeadlineDialect {
  return {
    header,
    grammar: "seconds, 1 to 9 digits, and up to 3 more after a point",
    parse: (value) => (/^\d{1,9}(\.\d{1,3})?$/.test(value) ? Math.round(Number(value) * 1000) : undefined),
    format: (ms) => (Math.min(Math.floor(ms), 999_999_999_999) / 1000).toFixed(3),
  };
}
