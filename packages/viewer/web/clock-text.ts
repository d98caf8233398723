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

export function dayText(ms: number): string {
  return DAY.format(ms);
}
