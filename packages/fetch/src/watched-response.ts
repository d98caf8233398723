import { watchedBody } from "./watched-body.ts";

/** A response that tells once when it is over: its body read, given up, or broken off by an error. */
export function watchedResponse(response: Response, over: (error?: unknown) => void): Response {
  if (response.body === null) {
    over();
    return response;
  }
  return like(response, watchedBody(response.body, { read: over, canceled: () => over(), failed: over }));
}

/** The response with another body. One made by hand has no address and is not redirected: those are the original's. */
function like(original: Response, body: ReadableStream | null): Response {
  const response = new Response(body, original);
  return Object.defineProperties(response, {
    url: { value: original.url },
    redirected: { value: original.redirected },
    type: { value: original.type },
    clone: { value: () => like(original, Response.prototype.clone.call(response).body) },
  });
}
