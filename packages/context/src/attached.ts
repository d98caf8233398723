import type { Context } from "./context.ts";
import type { Scope } from "./scope.ts";

/** Whether `ctx` ends when `other` does: it was derived from it, and not detached on the way. */
export function isAttached(ctx: Context, other: Context): boolean {
  let scope: Scope | undefined = ctx.scope;
  while (scope !== undefined && scope !== other.scope) scope = scope.parent;
  return scope !== undefined;
}
