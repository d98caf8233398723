import { now } from "./clock.ts";
import type { Context } from "./context.ts";
import { typeName } from "./describe.ts";
import type { Limit } from "./limit.ts";
import type { Scope } from "./scope.ts";

/** How a context came about, oldest step first, as one would write it. Values appear by the name of their type only. */
export function lineage(ctx: Context): string {
  const steps: string[] = [];
  let node = ctx;
  for (; node.up !== undefined; node = node.up) steps.push(step(node));
  const { name, index } = node.base;
  if (index !== undefined)
    steps.push(`values(${[...index.keys()].map(keyName).join(", ")})`, ...scopeSteps(node.scope));
  return [name, ...steps.reverse()].join(".");
}

function step(node: Context): string {
  return node.key === undefined ? scopeStep(node.scope) : `withValue(${keyName(node.key)}: ${typeName(node.bound)})`;
}

function keyName(key: symbol): string {
  return key.description ?? "(no name)";
}

/** The scopes up from this one: those whose steps were gathered away. */
function scopeSteps(from: Scope): string[] {
  const steps: string[] = [];
  for (let scope: Scope | undefined = from; scope?.parent !== undefined; scope = scope.parent)
    steps.push(scopeStep(scope));
  return steps;
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
