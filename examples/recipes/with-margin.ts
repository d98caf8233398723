// The time in which to answer with what is ready, for protocols that can answer in part: GraphQL, tRPC.
import { type CancelFunc, type Context, withCancel, withTimeout } from "@throughline/context";

const MARGIN_MS = 50;

/** Derives a context that ends shortly before `ctx`, for the work of a request. */
export function withMargin(ctx: Context): [Context, CancelFunc] {
  const left = ctx.remaining();
  return left === Infinity ? withCancel(ctx) : withTimeout(ctx, Math.max(0, left - MARGIN_MS));
}
