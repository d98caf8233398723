import { propagation, type TextMapPropagator } from "@opentelemetry/api";

import { together } from "./together.ts";

/** What is set up in this process, as every copy of OpenTelemetry's API keeps it; the API itself gives no way to ask for it. */
interface Registered {
  readonly trace?: object;
  readonly context?: object;
  readonly diag?: object;
  readonly propagation?: TextMapPropagator;
}

function registered(): Registered {
  return (globalThis as { [API]?: Registered })[API] ?? {};
}

const API = Symbol.for("opentelemetry.js.api.1");

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
