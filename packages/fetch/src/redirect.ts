import { type Call, replayableBody } from "./call.ts";

/** How many are followed (Fetch standard, HTTP-redirect fetch). */
export const MOST_REDIRECTS = 20;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Headers that speak of a body which is not sent again. */
const OF_THE_BODY = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

/** Headers that are only for the origin that the caller had in mind. */
const OF_THE_ORIGIN = ["authorization", "proxy-authorization", "cookie", "host"];

/**
 * The call that a response redirects to; `undefined` if it redirects nowhere (Fetch standard, HTTP-redirect fetch).
 *
 * @throws TypeError as `fetch` does, if it must not be followed
 */
export function redirected(call: Call, response: Response): Call | undefined {
  if (!REDIRECTS.has(response.status)) return undefined;
  const location = response.headers.get("location");
  if (location === null) return undefined;
  const { status } = response;

  const [from, to] = [new URL(call.url), URL.parse(decoded(location), call.url)];
  if (to === null || !/^https?:$/.test(to.protocol)) throw failed("URL scheme must be a HTTP(S) scheme");
  if (to.hash === "") to.hash = from.hash;
  const isElsewhere = to.origin !== from.origin;
  if (isElsewhere && (to.username !== "" || to.password !== ""))
    throw failed("cross origin not allowed with credentials");

  const becomesGet =
    (status === 303 && call.method !== "GET" && call.method !== "HEAD") ||
    ((status === 301 || status === 302) && call.method === "POST");
  const replayable = becomesGet ? { body: null } : replayableBody(call);
  if (replayable === undefined) throw failed("a body that is a stream cannot be sent again");

  const sent = new Headers(call.headers);
  for (const name of [...(becomesGet ? OF_THE_BODY : []), ...(isElsewhere ? OF_THE_ORIGIN : [])]) sent.delete(name);
  const method = becomesGet ? "GET" : call.method;
  return {
    ...call,
    input: to,
    isRequest: false,
    url: to.href,
    method,
    headers: sent,
    init: { ...call.init, method, body: replayable.body ?? null },
  };
}

/** A header comes as Latin-1, be it UTF-8 that was sent. */
function decoded(location: string): string {
  return /[\x80-\xff]/.test(location) ? Buffer.from(location, "latin1").toString("utf8") : location;
}

/** Network errors are TypeErrors of this one message, with the reason as their cause. */
export function failed(reason: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(reason) });
}
