import { type Context } from "@throughline/context";
import { parentOf } from "@throughline/context/internal";

import { type ClientOptions, type ClientSettings, clientSettings } from "./client-options.ts";
import { headersFor } from "./outbound-call.ts";

const ACTION = "make headers for a request";

/** Options are checked once for each object, as they are where a client is made of them. */
const checked = new WeakMap<ClientOptions, ClientSettings>();
const DEFAULTS: ClientOptions = {};

/**
 * The headers that carry a context to another service, for requests that are sent by other means than the clients of this library: `node:http`, got,
 * a proxy, the SDK of a service. They are those that `createFetch` would send: the time that is left, the trace, the criticality, and to the
 * `origins` of the options the declared values and the identity. They are for one request, now: the time goes on. Set them in the place of any of the
 * same name, and end the request when `ctx.signal` aborts.
 *
 * @param url where the request goes
 * @throws ContextError that of the context if it has ended; `DeadlineExceeded` if too little time is left to call
 * @throws TypeError, RangeError if an argument is wrong
 */
export function outboundHeaders(
  ctx: Context,
  url: string | URL,
  options: Omit<ClientOptions, "timeout"> = DEFAULTS,
): Record<string, string> {
  parentOf(ctx, ACTION);
  let settings = checked.get(options);
  if (settings === undefined) checked.set(options, (settings = clientSettings(options, ACTION)));
  const parsed = url instanceof URL ? url : URL.parse(url);
  if (parsed === null) throw new TypeError(`Cannot ${ACTION}: 'url' must be an absolute URL; received ${String(url)}`);
  const request = { method: "GET", url: parsed, attempt: 1, isTracedElsewhere: false };
  return Object.fromEntries(headersFor(ctx, request, settings));
}
