/** IMF-fixdate (RFC 9110, 5.6.7), the only form that is sent today. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long a `Retry-After` asks to wait, in milliseconds, never less than 0; `undefined` if it is absent or malformed (RFC 9110, 10.2.3).
 *
 * @param now on the wall clock, by which a date is read
 */
export function parseRetryAfter(value: string | null | undefined, now: number = Date.now()): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  if (!HTTP_DATE.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) || new Date(at).toUTCString() !== value ? undefined : Math.max(0, at - now);
}
