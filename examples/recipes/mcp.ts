// Model Context Protocol: each call of a tool has a Context, over HTTP and over stdio. The deadline and the trace of the
// client are in `_meta`, where MCP also defines the trace.
import type { RequestListener } from "node:http";

import type { CallToolRequest, CallToolResult, Client } from "@modelcontextprotocol/client";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, type McpServerFactory, type ServerContext } from "@modelcontextprotocol/server";
import { defaultTextMapGetter } from "@opentelemetry/api";
import {
  afterFunc,
  background,
  type CancelFunc,
  type Context,
  current,
  DeadlineExceeded,
  run,
  TraceContextPropagator,
  withSignal,
  withTimeout,
} from "@throughline/context";
import { grpcTimeout, outboundHeaders, requestContext, type ServerOptions } from "@throughline/http";

/** `setTimeout` takes no longer delay. */
const LONGEST_MS = 2 ** 31 - 1;

const propagator = new TraceContextPropagator();

/** The context ends at the client's deadline, after `limitMs`, and when the client cancels the call. */
function toolContext({ signal, _meta = {} }: ServerContext["mcpReq"], limitMs: number): [Context, CancelFunc] {
  const isHttp = current() !== background;
  const base = isHttp ? current() : propagator.extract(background, _meta, defaultTextMapGetter);
  const timeout = grpcTimeout.parse(String(_meta[grpcTimeout.header])) ?? Infinity;
  const [called, cancel] = withSignal(base, signal);
  return [withTimeout(called, Math.min(timeout, limitMs))[0], cancel]; // which cancels both
}

function ended(ctx: Context): Promise<never> {
  return new Promise((_resolve, reject) => void afterFunc(ctx, () => reject(ctx.err() as Error)));
}

/** The handler of a tool, for `registerTool`. `work` waits with `current()`. At its deadline the call is answered, whatever it does. */
export function tool<Args>(limitMs: number, work: (args: Args) => CallToolResult | Promise<CallToolResult>) {
  return async (args: Args, { mcpReq }: ServerContext): Promise<CallToolResult> => {
    const [ctx, cancel] = toolContext(mcpReq, limitMs);
    try {
      return await Promise.race([run(ctx, work, args), ended(ctx)]);
    } catch (error) {
      if (!(error instanceof DeadlineExceeded)) throw error;
      return { isError: true, content: [{ type: "text", text: "Deadline exceeded" }] };
    } finally {
      cancel();
    }
  };
}

/** A listener for `node:http`. For stdio, `serveStdio` needs nothing around it. */
export function mcpListener(factory: McpServerFactory, options?: ServerOptions): RequestListener {
  return requestContext(toNodeHandler(createMcpHandler(factory)) as RequestListener, options);
}

/** Calls a tool within the current Context. When that ends, the server is notified, and the call rejects with its error. */
export async function callTool(client: Client, params: CallToolRequest["params"]): Promise<CallToolResult> {
  const ctx = current();
  const _meta = { ...params._meta, ...outboundHeaders(ctx, "mcp:tools/call") };
  try {
    return await client.callTool({ ...params, _meta }, { signal: ctx.signal, timeout: LONGEST_MS });
  } catch (error) {
    ctx.throwIfAborted();
    throw error;
  }
}
