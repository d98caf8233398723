import type { Context } from "@throughline/context";
import { withCriticality } from "@throughline/resilience/internal";

import { inboundCriticality } from "../wire/criticality.ts";
import { receiveValues } from "./receive-values.ts";

/**
 * Binds the propagated values and the criticality of a message.
 *
 * @param headers by their names in lower case
 * @param isTrusted whether only trusted senders can write into the queue
 */
export function receiveMessageValues(
  ctx: Context,
  headers: Readonly<Record<string, string>>,
  isTrusted: boolean,
): Context {
  const request = {
    method: "",
    target: "",
    scheme: "",
    authority: undefined,
    headers: { get: (name: string) => headers[name], names: () => Object.keys(headers) },
    remove: () => {},
    replace: () => {},
  };
  const asked = inboundCriticality(request.headers, "lower", () => isTrusted);
  const bound = asked === undefined ? ctx : withCriticality(ctx, asked);
  return receiveValues(bound, request, () => isTrusted, "trusted").ctx;
}
