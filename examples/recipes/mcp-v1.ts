// The Model Context Protocol over HTTP. A call of a tool ends with the Context of the request that makes it, and the
// server of the tool learns of it.
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type Context, current, run, withSignal } from "@throughline/context";
import { outboundHeaders } from "@throughline/fetch";

/** The longest call of a tool outside of any deadline, as the SDK has a limit for each. */
const LONGEST_MS = 300_000;

/**
 * The transport for `client.connect`. Its fetch sends the time left and the trace. It is not that of `createFetch`, which
 * would end with the request: the message that cancels a call is sent after that end.
 */
export function transport(url: URL): Transport {
  const sendWithHeaders = (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const ctx = current();
    const headers = new Headers(init.headers);
    if (ctx.err() === undefined && ctx.remaining() > 1) {
      for (const [name, value] of Object.entries(outboundHeaders(ctx, input))) headers.set(name, value);
    }
    return fetch(input, { ...init, headers });
  };
  return new StreamableHTTPClientTransport(url, { fetch: sendWithHeaders }) as Transport;
}

/** Calls a tool under the current Context, and rejects with the Context's own error when it ends. */
export async function callTool(client: Client, name: string, input: Record<string, unknown>): Promise<unknown> {
  const ctx = current();
  ctx.throwIfAborted();
  const timeout = Math.min(ctx.remaining(), LONGEST_MS);
  try {
    return await client.callTool({ name, arguments: input }, undefined, { signal: ctx.signal, timeout });
  } catch (error) {
    // The SDK reports that the call was aborted, or that its own limit passed at the same moment.
    ctx.throwIfAborted();
    throw error;
  }
}

/** Runs the work of a tool in a Context that ends when its caller cancels the call. */
export function runTool<T>(extra: { readonly signal: AbortSignal }, work: (ctx: Context) => Promise<T>): Promise<T> {
  const [ctx, cancel] = withSignal(current(), extra.signal);
  return run(ctx, work, ctx).finally(() => cancel());
}
