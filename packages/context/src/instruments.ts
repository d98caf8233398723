import { createNoopMeter, type Meter, metrics } from "@opentelemetry/api";

const NOOP_METER = createNoopMeter();

/**
 * Returns a function that returns the instruments, made on first use and made anew if the meter provider changes. It
 * returns `undefined` without a metrics SDK, so that callers can skip the attributes of measurements.
 *
 * @param scope name of the package that measures
 */
export function lazyInstruments<T>(scope: string, make: (meter: Meter) => T): () => T | undefined {
  let cached: { readonly provider: object; readonly instruments: T | undefined } | undefined;
  return () => {
    const provider = metrics.getMeterProvider();
    if (cached?.provider !== provider) {
      const meter = provider.getMeter(scope);
      cached = { provider, instruments: meter === NOOP_METER ? undefined : make(meter) };
    }
    return cached.instruments;
  };
}
