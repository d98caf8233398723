import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import { typeName } from "./describe.ts";
import type { Limit } from "./limit.ts";
import type { Scope } from "./scope.ts";
import { ADOPTED, BOTTOM, INDEX } from "./values.ts";

/** How a context came about, oldest step first, as one would write it. Values appear by the name of their type only. */
export function lineage(ctx: Context): string {
  const steps: string[] = [];
  for (let node: Context | undefined = ctx; node !== undefined; node = node.up) steps.push(step(node));
  return steps.reverse().join(".");
}

function step(node: Context): string {
  switch (node.key) {
    case BOTTOM:
      return String(node.bound);
    case ADOPTED:
      return `adopted(${typeName(node.bound)})`;
    case INDEX:
      return `${scopes(node.scope)}values(${names(node.bound as Map<symbol, unknown>)})`;
    case undefined:
      return scopeStep(node.scope);
    default:
      return `withValue(${name(node.key)}: ${typeName(node.bound)})`;
  }
}

function names(index: Map<symbol, unknown>): string {
  return [...index.keys()].map(name).join(", ");
}

function name(key: symbol): string {
  return key.description ?? "(no name)";
}

/** The scopes that an index has folded away. */
function scopes(from: Scope): string {
  const steps: string[] = [];
  for (let scope: Scope | undefined = from; scope?.parent !== undefined; scope = scope.parent)
    steps.push(`${scopeStep(scope)}.`);
  return steps.reverse().join("");
}

function scopeStep(scope: Scope): string {
  if (scope.parent === undefined) return "withoutCancel";
  if (scope.source !== undefined) return "withSignal";
  if (scope.limit?.scope === scope) return `withTimeout(${span(scope.limit.budget)}, ${left(scope.limit)})`;
  return "withCancel";
}

function left(limit: Limit): string {
  const ms = limit.at - now();
  return ms > 0 ? `${span(ms)} left` : "over";
}

function span(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${Math.round(ms / 100) / 10}s`;
}
