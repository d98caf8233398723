import { Canceled, type ContextError, DeadlineExceeded } from "@throughline/context";
import { InvalidDeadline } from "@throughline/http";
import { causes, OUTCOME_HEADER, type Problem, problemOf } from "@throughline/http/adapter";

/** The status codes of gRPC, which Connect shares (https://grpc.io/docs/guides/status-codes/). */
export const CODE = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type Code = (typeof CODE)[keyof typeof CODE];

const NAMES: readonly string[] = Object.keys(CODE);

/** HTTP statuses by code, as in grpc-gateway. The status decides, for example, whether a span is an error. */
const HTTP_STATUSES: Readonly<Record<number, number>> = {
  [CODE.OK]: 200,
  [CODE.CANCELLED]: 499,
  [CODE.INVALID_ARGUMENT]: 400,
  [CODE.DEADLINE_EXCEEDED]: 504,
  [CODE.NOT_FOUND]: 404,
  [CODE.ALREADY_EXISTS]: 409,
  [CODE.PERMISSION_DENIED]: 403,
  [CODE.RESOURCE_EXHAUSTED]: 429,
  [CODE.FAILED_PRECONDITION]: 400,
  [CODE.ABORTED]: 409,
  [CODE.OUT_OF_RANGE]: 400,
  [CODE.UNIMPLEMENTED]: 501,
  [CODE.UNAVAILABLE]: 503,
  [CODE.UNAUTHENTICATED]: 401,
};

/** Codes by the HTTP status of a problem. */
const CODES: Readonly<Record<number, Code>> = {
  400: CODE.INVALID_ARGUMENT,
  401: CODE.UNAUTHENTICATED,
  403: CODE.PERMISSION_DENIED,
  503: CODE.UNAVAILABLE,
  504: CODE.DEADLINE_EXCEEDED,
};

/** The name of a code: `DEADLINE_EXCEEDED` for 4. */
export function codeName(code: number): string {
  return NAMES[code] ?? "UNKNOWN";
}

export function httpStatusOf(code: number): number {
  return HTTP_STATUSES[code] ?? 500;
}

/** An error whose `code` is the name of a status code: spans and metrics record errors by their code. */
export function errorWithCode(code: number, message: string): Error {
  return Object.assign(new Error(message), { code: codeName(code) });
}

/** The status that ends a call on the wire. */
export interface CallStatus {
  readonly code: Code;
  readonly details: string;
  /** Sent with the status. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The status of an error of this library, or of an error that has one as a cause at any depth; `undefined` for any
 * other error.
 */
export function callStatusOf(error: unknown): CallStatus | undefined {
  const problem = problemOf(error);
  if (problem !== undefined) return statusOfProblem(problem, true, error);
  for (const each of causes(error)) if (each instanceof Canceled) return CANCELED;
  return undefined;
}

/** It does not contain the cause, which may be internal to the server. */
const CANCELED: CallStatus = { code: CODE.CANCELLED, details: "context canceled", metadata: {} };

/** @param started whether a handler had begun. If none had, the outcome header says that the call is safe to retry. */
export function statusOfProblem({ document, outcome }: Problem, started: boolean, error?: unknown): CallStatus {
  return {
    code: codeOf(document.status, document.type, error),
    details: details(document),
    metadata: outcome === undefined ? {} : { [OUTCOME_HEADER]: `${outcome};started=?${started ? 1 : 0}` },
  };
}

/** A malformed deadline is INTERNAL, as in every implementation of gRPC. */
function codeOf(status: number, type: string, error: unknown): Code {
  if (error instanceof InvalidDeadline || type.endsWith(":invalid-deadline")) return CODE.INTERNAL;
  return CODES[status] ?? CODE.UNKNOWN;
}

function details({ title, detail, budgetMs, setBy }: Problem["document"]): string {
  if (detail !== undefined) return detail;
  const by = setBy === undefined ? "" : ` set by ${setBy}`;
  return budgetMs === undefined ? title : `${title}: budget ${budgetMs} ms${by}`;
}

/**
 * The status of a client's call that ends with its context. It contains nothing internal: many handlers pass the error
 * of such a call on to their own, possibly untrusted, caller. The full reason is the `cause` of the error.
 */
export function statusOfEnd(error: ContextError): CallStatus {
  if (!(error instanceof DeadlineExceeded)) return CANCELED;
  return { code: CODE.DEADLINE_EXCEEDED, details: details(problemOf(error)!.document), metadata: {} };
}

/**
 * The error of this library for a status that the server sent: for DEADLINE_EXCEEDED and CANCELLED, else `undefined`.
 */
export function errorOfStatus(code: number, details: string): ContextError | undefined {
  if (code === CODE.DEADLINE_EXCEEDED) return new DeadlineExceeded(`context deadline exceeded: ${details}`);
  return code === CODE.CANCELLED ? new Canceled(`context canceled: ${details}`) : undefined;
}
