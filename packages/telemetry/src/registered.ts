import { propagation, type TextMapPropagator } from "@opentelemetry/api";
import { type Registered, registered } from "@throughline/context/internal";

import { together } from "./together.ts";

export function isSetUp(what: keyof Registered): boolean {
  return registered()[what] !== undefined;
}

/** Adds propagators after the one that is set up, instead of replacing it: of two that read the same header the added one counts. */
export function addPropagators(added: readonly TextMapPropagator[]): void {
  const { propagation: known } = registered();
  if (added.length === 0 || known === undefined) return;
  propagation.disable();
  propagation.setGlobalPropagator(together([known, ...added]));
}
