/** Milliseconds in one of each unit of the gRPC grammar. */
const UNITS = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 } as const;

const ZERO = "0".charCodeAt(0);

/** The grammar in words, for whoever sent something else. */
export const GRPC_TIMEOUT_GRAMMAR = "1 to 8 digits and one of the units H, M, S, m, u, n";

/**
 * A `grpc-timeout` in milliseconds, with fractions; `undefined` if it is malformed.
 *
 * Zero is taken, as by grpc-go, though the published grammar asks for a positive number: it has expired.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function parseGrpcTimeout(value: string): number | undefined {
  // Digit by digit, as every request brings one.
  const digits = value.length - 1;
  if (digits < 1 || digits > 8) return undefined;
  let count = 0;
  for (let index = 0; index < digits; index++) {
    const digit = value.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    count = count * 10 + digit;
  }
  const unit: number | undefined = UNITS[value[digits] as keyof typeof UNITS];
  return unit === undefined ? undefined : count * unit;
}

/**
 * A time as a `grpc-timeout`, never longer than it is: in whole milliseconds, or whole seconds, minutes, hours where that
 * takes more than 8 digits. A relay must not round up, as the first caller may: the time is not its own.
 *
 * @param ms at least 1
 */
export function formatGrpcTimeout(ms: number): string {
  for (const unit of ["m", "S", "M"] as const) {
    const count = Math.floor(ms / UNITS[unit]);
    if (count <= 99_999_999) return `${count}${unit}`;
  }
  return `${Math.min(Math.floor(ms / UNITS.H), 99_999_999)}H`;
}
