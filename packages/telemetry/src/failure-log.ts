import { inspect } from "node:util";

import { diag, type DiagLogger, DiagLogLevel } from "@opentelemetry/api";

/** How long a failure of one kind is not written again. */
const QUIET_MS = 60_000;

/** More kinds than any configuration has. */
const MOST_KINDS = 100;

const LEVELS: Readonly<Record<string, DiagLogLevel>> = { WARN: DiagLogLevel.WARN, ERROR: DiagLogLevel.ERROR };

/**
 * Writes OpenTelemetry's own failures on the console, one line for each kind a minute: a collector that is down fails every export of each signal,
 * and OpenTelemetry's own logger writes each as JSON with a stack.
 *
 * @param level that of OTEL_LOG_LEVEL
 * @returns whether it does. An operator who asks for more than warnings gets all that there is, from OpenTelemetry's logger.
 */
export function logFailures(level: string): boolean {
  const logLevel = LEVELS[level.trim().toUpperCase()];
  if (logLevel === undefined) return false;
  diag.setLogger(new FailureLog(), { logLevel });
  return true;
}

class FailureLog implements DiagLogger {
  /** When each kind was written last, on the monotonic clock. */
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
    if (this.#written.size >= MOST_KINDS) this.#written.clear();
    this.#written.set(kind, now);
    write(`OpenTelemetry: ${line}`);
  }
}

/** The error itself, whichever of the signals met it, without numbers and the ids of spans, which differ each time. */
function kindOf(line: string): string {
  const cause = /^.*\bError: (.+?)\)?$/.exec(line)?.[1] ?? line;
  return cause.replaceAll(/\b[\da-f]{16,32}\b|\d+/g, "0");
}

function text(value: unknown): string {
  if (typeof value === "string") return value.startsWith("{") ? (flattened(value) ?? value) : value;
  return value instanceof Error ? String(value) : inspect(value, { breakLength: Infinity });
}

/** An error that OpenTelemetry has made JSON of: its message, and its code, which may be all that there is. */
function flattened(json: string): string | undefined {
  let error: Partial<Record<"name" | "message" | "code" | "errors", string>>;
  try {
    error = JSON.parse(json) as typeof error;
  } catch {
    return undefined;
  }
  // One for each address of a name has no message of its own.
  const { name, message = error.errors, code } = error;
  if (name === undefined) return undefined;
  const told = message ? `${name}: ${message}` : name;
  return code === undefined || told.includes(code) ? told : `${told} (${code})`;
}
