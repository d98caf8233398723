/** A list, or names with spaces between (RFC 6749, 3.3). */
export function scopesOf(scope: unknown): readonly string[] {
  if (Array.isArray(scope)) return scope.filter((each) => typeof each === "string");
  return typeof scope === "string" ? scope.split(" ").filter((each) => each !== "") : [];
}

/** @param seconds since the epoch (RFC 7519, NumericDate) */
export function dateOf(seconds: unknown): Date | undefined {
  return typeof seconds === "number" && Math.abs(seconds) <= 8.64e12 ? new Date(seconds * 1000) : undefined;
}
