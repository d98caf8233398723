import type { NodeRequest, NodeResponse } from "@throughline/http/adapter";

/** What Node's server has of a request that a fetch handler was given. */
export interface NodeHost {
  readonly req: NodeRequest;
  readonly res: NodeResponse;
}

/** What @hono/node-server passes on as `env`, which is also in the context that Hono makes. */
interface HonoEnv {
  readonly incoming?: NodeRequest;
  readonly outgoing?: NodeResponse;
}

/**
 * Finds it where hosts leave it: @hono/node-server in the second argument, or in the context that Hono hands to its middlewares; srvx (and so h3) with
 * the request. With others the request's signal and the end of the body tell what goes on, and `drain` cannot tell their requests.
 */
export function nodeHostOf(request: Request, rest: readonly unknown[]): NodeHost | undefined {
  const argument = (rest[0] ?? {}) as HonoEnv & { readonly env?: HonoEnv | null };
  for (const { incoming: req, outgoing: res } of [argument, argument.env ?? {}]) {
    if (req !== undefined && res !== undefined) return { req, res };
  }
  return (request as { runtime?: { node?: NodeHost } }).runtime?.node;
}
