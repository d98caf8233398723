/** Formats a duration with at most three digits, in the fitting unit. */
export function durationText(ms: number): string {
  if (ms < 0) return `−${durationText(-ms)}`;
  if (ms === 0) return "0 ms";
  if (ms < 0.000_999_5) return `${trim(ms * 1e6, 0)} ns`;
  if (ms < 0.009_95) return `${trim(ms * 1000, 2)} µs`;
  if (ms < 0.0995) return `${trim(ms * 1000, 0)} µs`;
  if (ms < 9.95) return `${trim(ms, ms < 1 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${trim(ms / 1000, ms < 9995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds >= 3600) {
    const minutes = Math.round(seconds / 60);
    return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Formats a difference of durations with its sign. */
export function differenceText(ms: number): string {
  if (Math.abs(ms) < 0.000_000_5) return "±0";
  return ms > 0 ? `+${durationText(ms)}` : durationText(ms);
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
