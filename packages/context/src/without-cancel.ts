import type { Context as OtelContext } from "@opentelemetry/api";

import type { Context } from "./context.ts";
import { parentOf } from "./parent.ts";
import { Scope } from "./scope.ts";

/**
 * A context with the parent's values, trace included, that ends neither with it nor at its deadline: for work that goes
 * on after the response. Give it a deadline of its own (Go: `WithoutCancel`).
 */
export function withoutCancel(parent: OtelContext): Context {
  return parentOf(parent).derive(new Scope(), undefined, undefined);
}
