import { diag, propagation, type TextMapPropagator } from "@opentelemetry/api";
import { registeredApi } from "@throughline/context/internal";

/**
 * Adds propagators to the global one. They run after it, so of two propagators that read the same header the added one
 * applies.
 */
export function addPropagators(added: readonly TextMapPropagator[]): void {
  const { propagation: known } = registeredApi();
  if (added.length === 0 || known === undefined) return;
  propagation.disable();
  propagation.setGlobalPropagator(compositePropagator([known, ...added]));
}

/** Combines propagators, in their order. A propagator that throws does not stop the others; its error is logged. */
function compositePropagator(propagators: readonly TextMapPropagator[]): TextMapPropagator {
  return {
    inject(ctx, carrier, setter) {
      for (const each of propagators) attempt(undefined, () => each.inject(ctx, carrier, setter));
    },
    extract(ctx, carrier, getter) {
      return propagators.reduce((before, each) => attempt(before, () => each.extract(before, carrier, getter)), ctx);
    },
    fields() {
      return [...new Set(propagators.flatMap((each) => each.fields()))];
    },
  };
}

function attempt<T>(fallback: T, work: () => T): T {
  try {
    return work();
  } catch (error) {
    diag.warn(`A propagator has failed: ${String(error)}`);
    return fallback;
  }
}
