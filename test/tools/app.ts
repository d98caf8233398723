// Serves with Express and Koa beside a tracing tool until standard input ends. Prints events as lines of JSON.
import { once } from "node:events";
import type { createServer, RequestListener, Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";

import type Express from "express";
import type Koa from "koa";

import { setups } from "./setups.ts";

/** A line of the output. */
export type Line =
  | { readonly ports: Readonly<Record<string, number>> }
  /** The trace and the remaining time of a handler, after its call of the next service. */
  | { readonly handled: string; readonly traceId: string | undefined; readonly remaining: number }
  /** The path of a server span that the tool reports. */
  | { readonly span: string };

const [name, tools, origin] = process.argv.slice(2) as [string, string, string];
const print = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

// Every tool must be started before other modules are loaded.
const flush = await setups[name]!.start({ tools, origin, report: (path) => print({ span: path }) });

// Loaded with `require`, because the tools patch them then.
const require = createRequire(import.meta.url);
const http = require("node:http") as { createServer: typeof createServer };
const express = require("express") as typeof Express;
const Application = require("koa") as typeof Koa;
const { current, traceId } = await import("@throughline/context");
const { errorHandler, requestContext: onExpress } = await import("@throughline/express");
const { createFetch } = await import("@throughline/fetch");
const { requestContext: onKoa } = await import("@throughline/koa");

const callNext = createFetch();
const handling: Promise<string>[] = [];

function handle(path: string): Promise<string> {
  const handled = answer(path);
  handling.push(handled);
  return handled;
}

async function answer(path: string): Promise<string> {
  const response = await callNext(`${origin}/next${path}`);
  await response.text();
  print({ handled: path, traceId: traceId(), remaining: current().remaining() });
  // Runs past its deadline, like a handler that ignores its signal.
  if (path.endsWith("/late")) await setTimeout(400);
  return "ok";
}

const listeners: Record<string, () => RequestListener> = {
  Express() {
    const app = express();
    app.use(onExpress());
    app.get("/Express/:request", async (req, res) => void res.send(await handle(req.path)));
    app.use(errorHandler());
    return app;
  },

  Koa() {
    const app = new Application();
    app.use(onKoa());
    app.use(async (koa) => {
      koa.body = await handle(koa.path);
    });
    return app.callback();
  },
};

const servers: Server[] = [];
const ports: Record<string, number> = {};
for (const [framework, listenerOf] of Object.entries(listeners)) {
  const server = http.createServer(listenerOf()).listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  ports[framework] = (server.address() as AddressInfo).port;
}
print({ ports });

await once(process.stdin.resume(), "end");
await Promise.allSettled(handling);
// The tools end a span when its response closes.
for (const server of servers) await once(server.close(), "close");
await flush();
process.exit();
