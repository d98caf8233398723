// One process: the gateway, a service behind it, or the store with its pool. Counts the store's work.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import express, { type Request, type Response } from "express";

import { LEAVES_AT, VARIANTS } from "./variants.ts";

const [role, name, placesText, ...upstream] = process.argv.slice(2) as [string, string, string, ...string[]];
const variant = VARIANTS[name]!(Number(placesText));
const counts = { arrived: 0, done: 0, inVain: 0 };

/** The usual time of the store's work, in milliseconds. */
const WORK = 40;

let next = 0;
const app = express();
for (const each of variant.middleware) app.use(each);
app.get("/", async (req: Request, res: Response) => {
  try {
    if (role === "store") await work(req);
    else {
      const response = await variant.call(upstream[(next += 1) % upstream.length]!, req);
      await response.text();
      if (!response.ok) res.status(response.status);
    }
    if (!res.headersSent) res.send("done");
  } catch (error) {
    if (name.startsWith("ours")) throw error;
    if (!res.headersSent) res.status(503).end();
  }
});
// Express prints the stack of an error that nobody handles.
app.use((_error: unknown, _req: Request, res: Response, _next: () => void) => {
  if (!res.headersSent) res.status(503).end();
});

async function work(req: Request): Promise<void> {
  counts.arrived += 1;
  await variant.work(WORK * (0.5 + Math.random()), req);
  counts.done += 1;
  if (Date.now() > Number(req.headers[LEAVES_AT])) counts.inVain += 1;
}

const server = createServer({ keepAliveTimeout: 60_000 }, app).listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
await once(server, "listening");
process.send!({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
process.on("message", () => process.send!({ ...counts }));
process.once("disconnect", () => process.exit(0));
