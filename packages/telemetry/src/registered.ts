import { propagation, type TextMapPropagator } from "@opentelemetry/api";
import { type RegisteredApi, registeredApi } from "@throughline/context/internal";

import { together } from "./together.ts";

export function isSetUp(what: keyof RegisteredApi): boolean {
  return registeredApi()[what] !== undefined;
}

/** Adds propagators after the one that is set up, instead of replacing it: of two that read the same header the added one counts. */
export function addPropagators(added: readonly TextMapPropagator[]): void {
  const { propagation: known } = registeredApi();
  if (added.length === 0 || known === undefined) return;
  propagation.disable();
  propagation.setGlobalPropagator(together([known, ...added]));
}
