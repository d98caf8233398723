// A receiver of one variant in a process of its own. It reports its CPU time and memory.
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startViewer } from "@throughline/viewer";

export type Variant = "reads and drops" | "JSON.parse alone" | "viewer" | "viewer with a file";

const variant = process.argv[2] as Variant;

/** The floor: reads the body, and optionally parses it with `JSON.parse`. */
async function startFloor(isParsed: boolean): Promise<string> {
  const server = createServer(async (req, res) => {
    const body = Buffer.concat((await req.toArray()) as Buffer[]);
    if (isParsed) JSON.parse(body.toString());
    res.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(): Promise<string> {
  if (!variant.startsWith("viewer")) return startFloor(variant === "JSON.parse alone");
  const limits = { maxSpans: 2_000_000, maxBytes: 8 * 1024 ** 3 };
  const file = { db: join(mkdtempSync(join(tmpdir(), "bench-")), "spans.db") };
  const viewer = await startViewer({ port: 0, ...limits, ...(variant === "viewer with a file" ? file : undefined) });
  return viewer.url;
}

process.send!({ url: await start() });
process.on("message", () => {
  globalThis.gc!();
  const { user, system } = process.cpuUsage();
  process.send!({ cpu: user + system, rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed });
});
process.once("disconnect", () => process.exit(0));
