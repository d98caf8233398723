import { subscribe } from "node:diagnostics_channel";

import { current } from "@throughline/context";
import { callIn } from "@throughline/http";

let isWatching = false;

/**
 * Has calls told how far they have come, from the first that is made: Node's own `fetch`, and undici's, say when they connect, and when they write a
 * request. They say so in the context that the request was made in.
 */
export function watchProgress(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe("undici:client:beforeConnect", () => callIn(current())?.connecting());
  subscribe("undici:client:sendHeaders", () => callIn(current())?.sent());
}
