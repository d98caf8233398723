import { diag, type TextMapPropagator } from "@opentelemetry/api";

/** Several propagators as one, in their order. One that throws keeps none of the others from their work. */
export function together(propagators: readonly TextMapPropagator[]): TextMapPropagator {
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

function attempt<T>(otherwise: T, work: () => T): T {
  try {
    return work();
  } catch (error) {
    diag.warn(`A propagator has failed: ${String(error)}`);
    return otherwise;
  }
}
