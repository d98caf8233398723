import { createNoopMeter, type Meter, metrics } from "@opentelemetry/api";

const nothing = createNoopMeter();

/**
 * Instruments that are made when somebody measures, and made anew when that is somebody else. What it returns gives `undefined` where nobody
 * does, so that nobody need describe what will not be measured.
 */
export function instruments<T>(make: (meter: Meter) => T): () => T | undefined {
  let known: { readonly provider: object; readonly made: T | undefined } | undefined;
  return () => {
    const provider = metrics.getMeterProvider();
    if (known?.provider !== provider) {
      const meter = provider.getMeter("@throughline/http");
      known = { provider, made: meter === nothing ? undefined : make(meter) };
    }
    return known.made;
  };
}
