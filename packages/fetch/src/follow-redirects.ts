import { hasDeadline } from "@throughline/context";

import { type Attempt, attempt, type Under } from "./attempt.ts";
import { type Call, replayableBody } from "./call.ts";
import { failed, MOST_REDIRECTS, redirected } from "./redirect.ts";

/**
 * Makes an attempt, and those that its responses redirect to. Followed by us, each has its own headers: what is left of the deadline
 * by then. undici sends on those of the first.
 */
export async function attemptFollowing(under: Under, call: Call): Promise<Attempt> {
  if (!isOursToFollow(under, call)) return attempt(under, call, call.redirect);
  let next: Call = call;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const made = await attempt(under, next, "manual");
    const to = redirected(next, made.response);
    if (to === undefined) return hops === 0 ? made : { ...made, response: asRedirected(made.response) };
    await made.response.body?.cancel();
    next = to;
  }
  throw failed("redirect count exceeded");
}

/**
 * Where it is sent the same everywhere, and without a deadline, nothing must change. The body of a Request is a stream, which only `fetch`
 * itself may know how to send again; what may not go everywhere must not go with it.
 */
function isOursToFollow({ head, settings }: Under, call: Call): boolean {
  if (call.redirect !== "follow") return false;
  if (settings.isSelective) return true;
  return hasDeadline(head) && (isBodyless(call) || replayableBody(call) !== undefined);
}

function isBodyless({ method }: Call): boolean {
  return method === "GET" || method === "HEAD";
}

function asRedirected(response: Response): Response {
  return Object.defineProperty(response, "redirected", { value: true });
}
