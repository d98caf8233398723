import { once } from "node:events";
import net from "node:net";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { trace } from "@opentelemetry/api";
import { background, type Context, current, run, traceId, withCancel, withTimeout } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { sleep } from "@throughline/resilience";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";

import { callTool, mcpListener, tool } from "../../examples/recipes/mcp.ts";
import { serve } from "./serve.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

/** The contexts of the calls, in their order. */
type Calls = Context[];

/** A factory of servers with a tool that reports its context, one that waits, and one that ignores its context. */
function factoryOf(calls: Calls): () => McpServer {
  return () => {
    const server = new McpServer({ name: "test", version: "1.0.0" });
    const register = (name: string, limitMs: number, work: () => Promise<void>): void => {
      const handler = tool<{ of?: string | undefined }>(limitMs, async () => {
        calls.push(current());
        await work();
        return text(JSON.stringify({ left: current().remaining(), trace: traceId() }));
      });
      server.registerTool(name, { inputSchema: z.object({ of: z.string().optional() }) }, handler);
    };
    register("left", 60_000, async () => {});
    register("wait", 60_000, () => sleep(current(), "1h"));
    register("stuck", 30, () => new Promise(() => {}));
    return server;
  };
}

/** A client over the pipe protocol of stdio, on a socket. */
async function stdioClient(calls: Calls): Promise<Client> {
  const server = net.createServer((socket) => {
    const handle = serveStdio(factoryOf(calls), { transport: new StdioServerTransport(socket, socket) });
    onTestFinished(() => handle.close());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  const client = new Client({ name: "test", version: "1.0.0" });
  onTestFinished(async () => {
    await client.close();
    socket.destroy();
    server.close();
  });
  // The transport of a server reads and writes the same lines of JSON.
  await client.connect(new StdioServerTransport(socket, socket));
  return client;
}

async function httpClient(calls: Calls): Promise<Client> {
  const url = await serve(mcpListener(factoryOf(calls)));
  const client = new Client({ name: "test", version: "1.0.0" });
  onTestFinished(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: createFetch() }));
  return client;
}

describe.each([
  ["stdio", stdioClient],
  ["HTTP", httpClient],
])("MCP over %s", (_transport, connect) => {
  it("a tool has the deadline and the trace of the client", async () => {
    const client = await connect([]);
    const traced = trace.setSpanContext(background, { traceId: TRACE, spanId: "b7ad6b7169203331", traceFlags: 1 });
    const [ctx, cancel] = withTimeout(traced, "2s");
    const { content } = await run(ctx, () => callTool(client, { name: "left", arguments: {} }));
    cancel();
    const seen = JSON.parse((content[0] as { text: string }).text) as { left: number; trace: string };
    expect(seen.trace).toBe(TRACE);
    expect(seen.left).toBeGreaterThan(1000);
    expect(seen.left).toBeLessThan(2000);
  });

  it("a call that the client cancels ends the context of the tool", async () => {
    const calls: Calls = [];
    const client = await connect(calls);
    const [ctx, cancel] = withCancel(background);
    const call = run(ctx, () => callTool(client, { name: "wait", arguments: {} }));
    await expect.poll(() => calls.length).toBe(1);
    cancel();
    await expect(call).rejects.toBe(ctx.err());
    await expect.poll(() => calls[0]!.err()?.name).toBe("AbortError");
  });

  it("the client's deadline ends its call, and the context of the tool", async () => {
    const calls: Calls = [];
    const client = await connect(calls);
    const [ctx] = withTimeout(background, 150);
    const error: unknown = await run(ctx, () => callTool(client, { name: "wait", arguments: {} })).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBe(ctx.err());
    // Both sides have the same deadline: the tool's own, or the client's notification of it, is first.
    await expect.poll(() => calls[0]!.err()).toBeDefined();
  });

  it("a call is answered at the limit of its tool, whatever the tool does", async () => {
    const client = await connect([]);
    expect(await callTool(client, { name: "stuck", arguments: {} })).toMatchObject({
      isError: true,
      content: [{ text: "Deadline exceeded" }],
    });
  });
});
