import { now } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { typeName } from "./describe-value.ts";
import type { Scope } from "./scope.ts";
import type { Base } from "./value-list.ts";

/** The part of a Context that this file uses. */
interface Step {
  readonly parent: Step | undefined;
  readonly base: Base;
  readonly scope: Scope;
  readonly key: symbol | undefined;
  readonly boundValue: unknown;
}

/** Lists the calls that derived a context, the oldest first, as code. Only the types of values are shown. */
export function describeDerivation(ctx: Step): string {
  const steps: string[] = [];
  let node: Step = ctx;
  for (; node.parent !== undefined; node = node.parent) steps.push(step(node));
  const { name, index } = node.base;
  if (index !== undefined)
    steps.push(`values(${[...index.keys()].map(keyName).join(", ")})`, ...scopeSteps(node.scope));
  return [name, ...steps.reverse()].join(".");
}

/** Lists the calls that derived a scope, the oldest first. Values are not known. */
export function describeScope(scope: Scope): string {
  return ["background", ...scopeSteps(scope).reverse()].join(".");
}

function step(node: Step): string {
  return node.key === undefined
    ? scopeStep(node.scope)
    : `withValue(${keyName(node.key)}: ${typeName(node.boundValue)})`;
}

function keyName(key: symbol): string {
  return key.description ?? "(no name)";
}

/** The steps of this scope and all above, for a list whose nodes an index has replaced. */
function scopeSteps(from: Scope): string[] {
  const steps: string[] = [];
  for (let scope: Scope | undefined = from; scope?.parent !== undefined; scope = scope.parent)
    steps.push(scopeStep(scope));
  return steps;
}

function scopeStep(scope: Scope): string {
  if (scope.parent === undefined) return "withoutCancel";
  if (scope.source !== undefined) return "withSignal";
  if (scope.deadline?.owner === scope) return `withTimeout(${span(scope.deadline.budget)}, ${left(scope.deadline)})`;
  return "withCancel";
}

function left(deadline: Deadline): string {
  const ms = deadline.at - now();
  return ms > 0 ? `${span(ms)} left` : "over";
}

function span(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${Math.round(ms / 100) / 10}s`;
}
