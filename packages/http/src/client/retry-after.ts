/**
 * The three date formats that recipients must accept (RFC 9110, 5.6.7): IMF-fixdate, and the obsolete formats of RFC
 * 850 and asctime.
 */
const FORMATS = [
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
];

/** The range of `Date` in milliseconds (ECMA-262, 21.4.1.1). */
const MAX_MS = 8.64e15;

/**
 * Parses a `Retry-After` header (RFC 9110, 10.2.3). Returns the milliseconds to wait, at least 0; `undefined` if the
 * header is absent or malformed. Some servers send seconds since the epoch; they are read as seconds to wait, which
 * exceeds any reasonable limit.
 *
 * @param now on the wall clock, to which dates are compared
 */
export function parseRetryAfter(value: string | null | undefined, now: number = Date.now()): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (/^\d{1,20}$/.test(value)) return Math.min(Number(value) * 1000, MAX_MS);
  const at = parseDate(value, now);
  return at === undefined ? undefined : Math.max(0, at - now);
}

function parseDate(value: string, now: number): number | undefined {
  for (const format of FORMATS) {
    const { day, month, year, time } = format.exec(value)?.groups ?? {};
    if (day === undefined) continue;
    const fullYear = year!.length === 2 ? fullYearOf(Number(year), now) : year;
    const date = `${day.replace(" ", "0")} ${month} ${fullYear} ${time} GMT`;
    const at = Date.parse(date);
    if (Number.isNaN(at)) return undefined;
    // `Date.parse` maps a day that does not exist, such as 31 Feb, to another; the comparison rejects it. The name of
    // the day is not compared in the obsolete formats.
    const formatted = new Date(at).toUTCString();
    return formatted.endsWith(date) && (format !== FORMATS[0] || formatted === value) ? at : undefined;
  }
  return undefined;
}

/** A two-digit year that appears to be more than 50 years in the future is in the past (RFC 9110, 5.6.7). */
function fullYearOf(year: number, now: number): number {
  const current = new Date(now).getUTCFullYear();
  const full = current - (current % 100) + year;
  return full > current + 50 ? full - 100 : full;
}
