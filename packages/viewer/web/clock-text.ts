const TIME = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** Formats the time of day in the local time zone. */
export function timeText(ms: number): string {
  return TIME.format(ms);
}

const DATE = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const YEAR = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", year: "numeric" });

/** Formats the date, with the year unless it is the current one. */
export function dateText(ms: number): string {
  return new Date(ms).getFullYear() === new Date().getFullYear() ? DATE.format(ms) : YEAR.format(ms);
}

export function isToday(ms: number): boolean {
  return new Date(ms).toDateString() === new Date().toDateString();
}

/** A span may have a time that no `Date` can represent. */
export function isoText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "";
}

export function dayText(ms: number): string {
  return DAY.format(ms);
}

/** Formats an instant for a field of type `datetime-local`, which takes ISO 8601 in the local time zone, without it. */
export function localText(ms: number): string {
  const date = new Date(ms);
  return isoText(ms - date.getTimezoneOffset() * 60_000).replace(/\.\d+Z$/, "");
}
