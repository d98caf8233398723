/** The deadline of a message: milliseconds since the epoch, in decimal digits. */
export const MESSAGE_DEADLINE_HEADER = "throughline-deadline";

/** The most that a Date can hold (ECMA-262, 21.4.1.1). */
const LATEST = 8.64e15;

/** A point of time in milliseconds since the epoch; `undefined` if it is malformed. */
export function parseMessageDeadline(value: string): number | undefined {
  const epoch = /^\d{1,16}$/.test(value) ? Number(value) : Infinity;
  return epoch > LATEST ? undefined : epoch;
}

/** A point of time for a header, never later than it is. */
export function formatMessageDeadline(deadline: Date): string {
  return String(Math.max(0, deadline.getTime()));
}
