import express from "express";
import express4 from "express4";
import { describe, expect, it } from "vitest";

import { type Host, hosts } from "../conformance/hosts/index.ts";
import { AnswerReader } from "../support/answer-reader.ts";
import { dial } from "../support/dial.ts";
import { type Serving, serveOn } from "../support/serving.ts";

/** Sends requests over one connection, each when the one before has been answered. */
function ask(url: string, requests: number): Promise<void> {
  const { pathname } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nhost: test\r\ngrpc-timeout: 5S\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const socket = dial(url);
    const reader = new AnswerReader();
    let left = requests;
    const next = (): void => void (left-- > 0 ? socket.write(request) : socket.end(resolve));
    socket.on("data", (chunk) => {
      if (reader.read(chunk) > 0) next();
    });
    socket.once("connect", next).once("error", reject);
  });
}

/** Kibibytes that a request leaves behind for the full collection, once the small one has gone over what is young. */
async function leftByEach(url: string, requests: number): Promise<number> {
  await ask(url, requests);
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  await ask(url, requests);
  // What survives once is looked at a second time before it counts as old.
  for (let times = 0; times < 2; times++) globalThis.gc!({ type: "minor" });
  return (process.memoryUsage().heapUsed - before) / 1024 / requests;
}

const plain = hosts.filter(({ protocol, isSecure }) => protocol === "http/1.1" && !isSecure);

/** The application of the host, without a context. */
function bare(framework: typeof express): Host["listener"] {
  const router = framework.Router().all("/:id", (_req, res) => void res.send("ok"));
  return () => ({ on: "request", listener: framework().use("/items", router) });
}

/**
 * Express sets the prototype of each request and each response. V8 12 (Node 22) makes hidden classes for every object whose prototype was
 * set, which only a full collection frees: 11.9 KiB a request in Express 5, 7.0 KiB in Express 4. V8 13 (Node 24) shares them. Each property
 * that is added later is one more hidden class, of 1.2 KiB: we add two, the request of the request and `emit` of the response.
 */
const withoutContext: Record<string, Host["listener"]> = {
  "Express 5": bare(express),
  "Express 4": bare(express4 as unknown as typeof express),
};

async function leftBy({ serving }: Serving): Promise<number> {
  const url = await serving(() => "ok", { maxTimeout: "30s" });
  await leftByEach(url, 1000);
  return leftByEach(url, 1000);
}

describe.each(plain)("$name", (host) => {
  const ours = serveOn(host);
  const listener = withoutContext[host.name];
  const framework = listener && serveOn({ ...host, listener });

  it("keeps nothing of a request that is over past the next small collection", async () => {
    const leftByFramework = framework ? await leftBy(framework) : 0;
    expect((await leftBy(ours)) - leftByFramework).toBeLessThan(framework ? 3 : 2.5);
  });
});
