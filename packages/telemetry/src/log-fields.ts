import { isSpanContextValid, trace } from "@opentelemetry/api";
import { type Context, current, type Key, traceId } from "@throughline/context";
import { callable, hasDeadline, refuseUnknown } from "@throughline/context/internal";

/** A key for values of any type. */
// oxlint-disable-next-line typescript/no-explicit-any
type AnyKey = Key<any>;

export interface LogFieldsOptions {
  /**
   * Values of the context that are logged, by the name of the field: a key, or a function such as `(ctx) =>
   * principal(ctx)?.subject`. No other values are logged.
   *
   * @default {}
   */
  values?: Readonly<Record<string, AnyKey | ((ctx: Context) => unknown)>>;
}

const ACTION = "create log fields";

/**
 * Creates a function that returns fields of the current context for a log entry: `trace_id`, `span_id` and
 * `trace_flags` (OpenTelemetry's names for other log formats), `deadline_remaining_ms` (whole milliseconds), and the
 * listed values. `trace_id` is also present in a request without a span. For pino: `pino({ mixin: logFields() })`.
 *
 * @throws TypeError if an option is wrong
 */
export function logFields(options: LogFieldsOptions = {}): () => Record<string, unknown> {
  const { values = {}, ...others } = options;
  refuseUnknown(others, ACTION);
  const readers = Object.entries(values).map(([name, value]) => {
    const read =
      typeof value === "symbol" ? (ctx: Context) => ctx.value(value) : callable(`values.${name}`, value, ACTION);
    return [name, read] as const;
  });
  return () => {
    const ctx = current();
    const fields: Record<string, unknown> = {};
    const id = traceId(ctx);
    if (id !== undefined) fields["trace_id"] = id;
    const span = trace.getSpanContext(ctx);
    if (span !== undefined && isSpanContextValid(span)) {
      fields["span_id"] = span.spanId;
      fields["trace_flags"] = span.traceFlags.toString(16).padStart(2, "0");
    }
    if (hasDeadline(ctx)) fields["deadline_remaining_ms"] = Math.floor(ctx.remaining());
    for (const [name, read] of readers) {
      const value = read(ctx);
      if (value !== undefined) fields[name] = value;
    }
    return fields;
  };
}

/** A format of winston (structural type). */
export interface LogFormat {
  transform<Info extends object>(info: Info): Info;
}

/**
 * Creates a format for winston that adds the same fields: `format.combine(logFormat(), format.json())`. Fields that an
 * entry has already are kept.
 *
 * @throws TypeError if an option is wrong
 */
export function logFormat(options?: LogFieldsOptions): LogFormat {
  const fields = logFields(options);
  return { transform: (info) => Object.assign(info, { ...fields(), ...info }) };
}
