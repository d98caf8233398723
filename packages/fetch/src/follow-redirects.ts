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
    let to: Call | undefined;
    try {
      to = redirected(next, made.response);
    } catch (error) {
      await made.response.body?.cancel();
      throw error;
    }
    if (to === undefined) return hops === 0 ? made : { ...made, response: asRedirected(made.response) };
    await made.response.body?.cancel();
    next = to;
  }
  throw failed("redirect count exceeded");
}

/**
 * Where it is sent the same everywhere, and without a deadline, nothing must change; a call that may be tried again must be known to have
 * arrived. What only `fetch` itself knows how to do, it does: send a Request again, check the integrity of what comes at last. But what may not go
 * everywhere must not go with it.
 */
function isOursToFollow({ whole, settings, arrived }: Under, call: Call): boolean {
  if (call.redirect !== "follow") return false;
  const isTheirs =
    call.isRequest || Boolean(call.init.integrity) || (!isBodyless(call) && replayableBody(call) === undefined);
  if (settings.isSelective) return true;
  return !isTheirs && (hasDeadline(whole) || arrived !== undefined);
}

function isBodyless({ method }: Call): boolean {
  return method === "GET" || method === "HEAD";
}

function asRedirected(response: Response): Response {
  return Object.defineProperty(response, "redirected", { value: true });
}
