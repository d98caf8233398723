import { type Context } from "@throughline/context";
import { describeValue, parentOf } from "@throughline/context/internal";

import { type ClientOptions, type ClientSettings, clientSettings } from "./client-options.ts";
import { headersFor } from "./outbound-call.ts";

const ACTION = "create outbound headers";

/** Each options object is checked once. */
const settingsOf = new WeakMap<ClientOptions, ClientSettings>();
const DEFAULTS: ClientOptions = {};

/**
 * Returns the headers that propagate a context, for requests that no client of this library sends: `node:http`, got, a
 * proxy, the SDK of a service. They are the headers that `createFetch` would send: the remaining time, the trace, the
 * criticality, and for the `origins` of the options also propagated values and identity.
 *
 * Create them for each request, because the remaining time decreases. Let them replace headers of the same name. Abort
 * the request when `ctx.signal` aborts.
 *
 * @param url the destination of the request
 * @throws ContextError the context's own error if it has ended; `DeadlineExceeded` if too little time is left
 * @throws TypeError, RangeError if an argument is invalid
 */
export function outboundHeaders(
  ctx: Context,
  url: string | URL,
  options: Omit<ClientOptions, "timeout"> = DEFAULTS,
): Record<string, string> {
  parentOf(ctx, ACTION);
  let settings = settingsOf.get(options);
  if (settings === undefined) settingsOf.set(options, (settings = clientSettings(options, ACTION)));
  const parsed = url instanceof URL ? url : URL.parse(url);
  if (parsed === null) {
    throw new TypeError(`Cannot ${ACTION}: 'url' must be an absolute URL; received ${describeValue(url)}`);
  }
  const request = { method: "GET", url: parsed, attempt: 1, isTracedElsewhere: false };
  return Object.fromEntries(headersFor(ctx, request, settings));
}
