/** Codes of gRPC, which Connect has too (https://grpc.io/docs/guides/status-codes/). */
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

/** `DEADLINE_EXCEEDED` for 4. */
export function codeName(code: number): string {
  return NAMES[code] ?? "UNKNOWN";
}

/** The HTTP status that stands for the same, as grpc-gateway has it: for what is decided by it. */
export function httpStatusOf(code: number): number {
  return HTTP[code] ?? 500;
}

const HTTP: Readonly<Record<number, number>> = {
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
