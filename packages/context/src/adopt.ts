import { ROOT_CONTEXT, type Context as OtelContext } from "@opentelemetry/api";

import { background, Context, isContext } from "./context.ts";
import { describeValue, typeName } from "./describe-value.ts";
import { ROOT } from "./scope.ts";
import { Base } from "./value-list.ts";

/** The Context of each foreign context, so that it is always the same object. */
const adopted = new WeakMap<OtelContext, Context>();

/** An OpenTelemetry context as a Context: itself if it is one, else a context with its values that never ends. */
export function adopt(ctx: OtelContext): Context {
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
 * The parent to derive from: a Context, or any OpenTelemetry context, which is adopted.
 *
 * @throws TypeError if it is neither (Go panics on a nil parent)
 */
export function parentOf(parent: OtelContext, action = "derive a context"): Context {
  if (isContext(parent)) return parent;
  if (typeof (parent as OtelContext | undefined)?.getValue === "function") return adopt(parent);
  throw new TypeError(
    `Cannot ${action}: it needs a Context as its first argument, such as current() or background; received ${describeValue(parent)}`,
  );
}
