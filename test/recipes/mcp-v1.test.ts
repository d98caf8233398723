import { once } from "node:events";
import http from "node:http";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { background, current, run, withCancel, withTimeout } from "@throughline/context";
import { requestContext } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { afterEach, describe, expect, it } from "vitest";

import { callTool, runTool, transport } from "../../examples/recipes/mcp-v1.ts";

describe("a tool of an MCP server", () => {
  let server: http.Server;
  let mcp: McpServer;
  let client: Client;
  let started: PromiseWithResolvers<number>;
  let ended: PromiseWithResolvers<unknown>;

  /** Starts the server, whose tool waits for an hour, and connects the client. */
  async function connect(host: (listener: http.RequestListener) => http.RequestListener): Promise<void> {
    // Constants, as the tool of another test may still run.
    const start = (started = Promise.withResolvers());
    const end = (ended = Promise.withResolvers());
    mcp = new McpServer({ name: "shop", version: "1.0.0" });
    mcp.registerTool("search", {}, async (extra) =>
      runTool(extra, async (ctx) => {
        start.resolve(ctx.remaining());
        await sleep(ctx, "1h").catch((error: unknown) => end.resolve(error));
        return { content: [] };
      }),
    );
    const own = new StreamableHTTPServerTransport({ sessionIdGenerator: () => "session" });
    await mcp.connect(own as Transport);
    const listener: http.RequestListener = (req, res) => void own.handleRequest(req, res);
    server = http.createServer(host(listener)).listen(0, "127.0.0.1");
    await once(server, "listening");
    client = new Client({ name: "test", version: "1.0.0" });
    const { port } = server.address() as { port: number };
    await client.connect(transport(new URL(`http://127.0.0.1:${port}/mcp`)));
  }
  afterEach(async () => {
    await client.close();
    await mcp.close();
    server.close();
    server.closeAllConnections();
  });

  it("is given the time that its caller has left, behind requestContext", async () => {
    await connect((listener) => requestContext(listener as Parameters<typeof requestContext>[0]));
    const [ctx, cancel] = withTimeout(background, "2s");
    const call = run(ctx, callTool, client, "search", {}).catch((error: unknown) => error);
    expect(await started.promise).toBeLessThan(2000);
    cancel();
    expect(await call).toBe(ctx.err());
  });

  it("ends when its caller is canceled, and the caller gets the error of its Context", async () => {
    await connect((listener) => listener);
    const [ctx, cancel] = withCancel(background);
    const call = run(ctx, callTool, client, "search", {}).catch((error: unknown) => error);
    await started.promise;
    cancel(new Error("the user has left"));

    expect(await call).toBe(ctx.err());
    expect(await ended.promise).toMatchObject({ code: "ABORT_ERR" });
    expect(current()).toBe(background);
  });
});
