import assert from "node:assert/strict";

import { DIGITS, isMadeOf, textOf } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc from "fast-check";

import { parseRetryAfter } from "./retry-after.ts";

const NOW = 1_795_608_000_000;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Valid dates and dates that only look valid. */
const date = fc.oneof(
  fc.integer({ min: NOW / 1000 - 1e6, max: NOW / 1000 + 1e6 }).map((seconds) => new Date(seconds * 1000).toUTCString()),
  fc
    .date({ min: new Date("0000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
    .map((each) => each.toUTCString()),
  fc
    .tuple(
      fc.constantFrom(...DAYS),
      fc.constantFrom(...MONTHS),
      fc.array(textOf(DIGITS, 2, 2), { minLength: 6, maxLength: 6 }),
    )
    .map(
      ([day, month, [date, century, year, ...time]]) =>
        `${day}, ${date} ${month} ${century}${year} ${time.join(":")} GMT`,
    ),
);

function asRfc850(fixdate: string): string {
  const [day, date, month, year, time] = fixdate.split(" ") as [string, string, string, string, string];
  const full = {
    Sun: "Sunday",
    Mon: "Monday",
    Tue: "Tuesday",
    Wed: "Wednesday",
    Thu: "Thursday",
    Fri: "Friday",
    Sat: "Saturday",
  };
  return `${full[day.slice(0, 3) as keyof typeof full]}, ${date}-${month}-${year.slice(-2)} ${time} GMT`;
}

function asAsctime(fixdate: string): string {
  const [day, date, month, year, time] = fixdate.split(" ") as [string, string, string, string, string];
  return `${day.slice(0, 3)} ${month} ${date.replace(/^0/, " ")} ${time} ${year}`;
}

/** RFC 9110, 5.6.7: IMF-fixdate. Milliseconds since the epoch. */
function readDate(value: string, hasDayName = true): number | undefined {
  const [dayName, date, monthName, year, time, zone, ...more] = value.split(" ");
  const clock = time?.split(":") ?? [];
  const numbers = [date, year, ...clock];
  if (zone !== "GMT" || more.length > 0 || clock.length !== 3 || year?.length !== 4) return undefined;
  if (!numbers.every((each, index) => isMadeOf(each!, DIGITS) && (index === 1 || each!.length === 2))) return undefined;
  const month = MONTHS.indexOf(monthName!);
  const [day, fullYear, hour, minute, second] = numbers.map(Number) as [number, number, number, number, number];
  const isLeap = (fullYear % 4 === 0 && fullYear % 100 !== 0) || fullYear % 400 === 0;
  const lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  if (month === -1 || day < 1 || day > lengths[month]! || hour > 23 || minute > 59 || second > 59) return undefined;
  // ECMAScript maps years below 100 to 1900-1999, so the parser rejects them.
  if (fullYear < 100) return undefined;
  // Days since 1 January of the year 0, a Saturday, in the proleptic Gregorian calendar.
  const past = 1 + Math.floor((fullYear - 1) / 4) - Math.floor((fullYear - 1) / 100) + Math.floor((fullYear - 1) / 400);
  const days = fullYear * 365 + past + lengths.slice(0, month).reduce((sum, each) => sum + each, 0) + day - 1;
  if (hasDayName && dayName !== `${DAYS[(days + 6) % 7]},`) return undefined;
  const TO_1970 = 719_528;
  return (((days - TO_1970) * 24 + hour) * 60 + minute) * 60_000 + second * 1000;
}

/** Converts a date in one of the obsolete formats of RFC 850 and asctime (RFC 9110, 5.6.7) to IMF-fixdate. */
function asFixdate(value: string): string | undefined {
  const parts = value.split(" ");
  if (parts.length === 4 && parts[1]!.split("-").length === 3) {
    const [day, rest, time, zone] = parts as [string, string, string, string];
    const [date, month, year] = rest.split("-") as [string, string, string];
    const full = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    if (!full.includes(day.slice(0, -1)) || !day.endsWith(",") || year.length !== 2) return undefined;
    const ahead = Number(`20${year}`);
    return `${day.slice(0, 3)}, ${date} ${month} ${ahead > 2076 ? ahead - 100 : ahead} ${time} ${zone}`;
  }
  const [day, month, date, time, year, ...more] = parts.filter((each) => each !== "");
  if (year === undefined || more.length > 0 || date!.length > 2 || !DAYS.includes(day!)) return undefined;
  const isPadded = value === `${day} ${month} ${date!.padStart(2, " ")} ${time} ${year}`;
  return isPadded ? `${day}, ${date!.padStart(2, "0")} ${month} ${year} ${time} GMT` : undefined;
}

const retryAfter = textSubject({
  name: "retry-after",
  share: 2,
  valid: fc.oneof(textOf(DIGITS, 1, 20), date, date.map(asRfc850), date.map(asAsctime)),
  parse: (value) => parseRetryAfter(value, NOW),
  judge(value, ms) {
    const isNumber = value !== "" && value.length <= 20 && isMadeOf(value, DIGITS);
    const obsolete = asFixdate(value);
    const at = obsolete === undefined ? readDate(value) : readDate(obsolete, false);
    const own = isNumber
      ? Math.min(Number(value) * 1000, 8.64e15)
      : at === undefined
        ? undefined
        : Math.max(0, at - NOW);
    assert.equal(ms, own);
    return ms !== undefined;
  },
});

export const subjects: readonly AnySubject[] = [retryAfter];
