import { ROOT_CONTEXT, type Context as OtelContext } from "@opentelemetry/api";

import { background, Context, isContext } from "./context.ts";
import { describe, typeName } from "./describe.ts";
import { ROOT } from "./scope.ts";
import { Base } from "./values.ts";

/** Foreign contexts and what stands for them, so that one is always the same. */
const adopted = new WeakMap<OtelContext, Context>();

/** This OpenTelemetry context as one of ours: itself, or a context with its values that never ends. */
export function ours(ctx: OtelContext): Context {
  if (isContext(ctx)) return ctx;
  if (ctx === ROOT_CONTEXT) return background;
  let known = adopted.get(ctx);
  if (known === undefined) {
    known = Context.on(new Base(`adopted(${typeName(ctx)})`, ctx), ROOT);
    adopted.set(ctx, known);
  }
  return known;
}

/**
 * What a context is derived from: a Context, or any OpenTelemetry context.
 *
 * @throws TypeError if it is neither (Go panics on a nil parent)
 */
export function parentOf(parent: OtelContext, action = "derive a context"): Context {
  if (isContext(parent)) return parent;
  if (typeof (parent as OtelContext | undefined)?.getValue === "function") return ours(parent);
  throw new TypeError(
    `Cannot ${action}: it needs a Context as its first argument, such as current() or background: current value is ${describe(parent)}`,
  );
}
