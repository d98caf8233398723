/** The three forms of a date that recipients must read (RFC 9110, 5.6.7): IMF-fixdate, and the obsolete ones of RFC 850 and of asctime. */
const FORMS = [
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
];

/** Longer than anybody waits, and still a number of milliseconds. */
const LONGEST = 8.64e15;

/**
 * How long a `Retry-After` asks to wait, in milliseconds, never less than 0; `undefined` if it is absent or malformed (RFC 9110, 10.2.3). Some servers
 * send a time since the epoch: read as seconds to wait, it is longer than anybody waits.
 *
 * @param now on the wall clock, by which a date is read
 */
export function parseRetryAfter(value: string | null | undefined, now: number = Date.now()): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (/^\d{1,20}$/.test(value)) return Math.min(Number(value) * 1000, LONGEST);
  const at = parseDate(value, now);
  return at === undefined ? undefined : Math.max(0, at - now);
}

function parseDate(value: string, now: number): number | undefined {
  for (const form of FORMS) {
    const { day, month, year, time } = form.exec(value)?.groups ?? {};
    if (day === undefined) continue;
    const date = `${day.replace(" ", "0")} ${month} ${year!.length === 2 ? centuryOf(Number(year), now) : year} ${time} GMT`;
    const at = Date.parse(date);
    if (Number.isNaN(at)) return undefined;
    // A day that there is not, such as 31 Feb, is read as another. Of the obsolete forms the name of the day is only half of it: it is not looked at.
    const read = new Date(at).toUTCString();
    return read.endsWith(date) && (form !== FORMS[0] || read === value) ? at : undefined;
  }
  return undefined;
}

/** A year of two digits that would be more than 50 years ahead is in the past (RFC 9110, 5.6.7). */
function centuryOf(year: number, now: number): number {
  const current = new Date(now).getUTCFullYear();
  const full = current - (current % 100) + year;
  return full > current + 50 ? full - 100 : full;
}
