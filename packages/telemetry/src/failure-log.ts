import { inspect } from "node:util";

import { diag, type DiagLogger, DiagLogLevel } from "@opentelemetry/api";

/** The minimum time between two lines for one kind of failure. */
const QUIET_MS = 60_000;

/** Limits the memory. No configuration has as many kinds of failures. */
const MAX_KINDS = 100;

const LEVELS: Readonly<Record<string, DiagLogLevel>> = { WARN: DiagLogLevel.WARN, ERROR: DiagLogLevel.ERROR };

/**
 * Writes OpenTelemetry's own failures to the console, one line a minute for each kind. A collector that is down fails
 * every export of each signal, and OpenTelemetry's own logger writes each failure as JSON with a stack.
 *
 * @param level the value of OTEL_LOG_LEVEL
 * @returns false if the level is not WARN or ERROR: OpenTelemetry's own logger is then to be used
 */
export function logFailures(level: string): boolean {
  const logLevel = LEVELS[level.trim().toUpperCase()];
  if (logLevel === undefined) return false;
  diag.setLogger(new FailureLog(), { logLevel });
  return true;
}

class FailureLog implements DiagLogger {
  /** When each kind was last written, on the monotonic clock. */
  readonly #written = new Map<string, number>();

  error(...args: unknown[]): void {
    this.#write(console.error, args);
  }

  warn(...args: unknown[]): void {
    this.#write(console.warn, args);
  }

  info(): void {}

  debug(): void {}

  verbose(): void {}

  #write(write: (line: string) => void, args: readonly unknown[]): void {
    const line = args
      .map(text)
      .join(" ")
      .replaceAll(/\s*\n\s*/g, " ");
    const kind = kindOf(line);
    const now = performance.now();
    const last = this.#written.get(kind);
    if (last !== undefined && now - last < QUIET_MS) return;
    if (this.#written.size >= MAX_KINDS) this.#written.clear();
    this.#written.set(kind, now);
    write(`OpenTelemetry: ${line}`);
  }
}

/** The message of the error, whichever signal reported it, without numbers and span ids, which differ each time. */
function kindOf(line: string): string {
  const cause = /^.*\bError: (.+?)\)?$/.exec(line)?.[1] ?? line;
  return cause.replaceAll(/\b[\da-f]{16,32}\b|\d+/g, "0");
}

function text(value: unknown): string {
  if (typeof value === "string") return value.startsWith("{") ? (textOfJson(value) ?? value) : value;
  return value instanceof Error ? String(value) : inspect(value, { breakLength: Infinity });
}

/**
 * The name, message and code of an error that OpenTelemetry has serialized as JSON; `undefined` if it is not an error.
 */
function textOfJson(json: string): string | undefined {
  let error: Partial<Record<"name" | "message" | "code" | "errors", string>>;
  try {
    error = JSON.parse(json) as typeof error;
  } catch {
    return undefined;
  }
  // An AggregateError with one error for each address of a host has no message of its own.
  const { name, message = error.errors, code } = error;
  if (name === undefined) return undefined;
  const line = message ? `${name}: ${message}` : name;
  return code === undefined || line.includes(code) ? line : `${line} (${code})`;
}
