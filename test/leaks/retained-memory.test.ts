import { All, Controller } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import express from "express";
import express4 from "express4";
import { describe, expect, it } from "vitest";

import { type Host, hosts } from "../hosts/index.ts";
import { type Serving, serveOn } from "../hosts/serving.ts";
import { dial } from "../support/http-client.ts";
import { ResponseReader } from "../support/response-reader.ts";

/** Sends requests over one connection, each after the response to the previous one. */
function sendSequentially(url: string, requests: number): Promise<void> {
  const { pathname } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nhost: test\r\ngrpc-timeout: 5S\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const socket = dial(url);
    const reader = new ResponseReader();
    let left = requests;
    const next = (): void => void (left-- > 0 ? socket.write(request) : socket.end(resolve));
    socket.on("data", (chunk) => {
      if (reader.read(chunk) > 0) next();
    });
    socket.once("connect", next).once("error", reject);
  });
}

/** KiB per request that survive minor garbage collections and wait for a full one. */
async function retainedPerRequest(url: string, requests: number): Promise<number> {
  await sendSequentially(url, requests);
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  await sendSequentially(url, requests);
  // An object must survive two minor collections before it counts as old.
  for (let times = 0; times < 2; times++) globalThis.gc!({ type: "minor" });
  return (process.memoryUsage().heapUsed - before) / 1024 / requests;
}

const plain = hosts.filter(({ protocol, isSecure }) => protocol === "http/1.1" && !isSecure);

/** The same application without a request context. */
function bare(framework: typeof express): Host["listener"] {
  const router = framework.Router().all("/:id", (_req, res) => void res.send("ok"));
  return () => ({ on: "request", listener: framework().use("/items", router) });
}

/** As `bare`. Decorators are applied as functions, as in `test/hosts`. */
function bareNest(): ReturnType<Host["listener"]> {
  class Items {
    item(): string {
      return "ok";
    }
  }
  All(":id")(Items.prototype, "item", Object.getOwnPropertyDescriptor(Items.prototype, "item")!);
  Controller("items")(Items);
  const application = { module: Items, controllers: [Items] };
  const starting = NestFactory.create(application, new ExpressAdapter(), { logger: false, bodyParser: false });
  const started = starting.then(async (app) => {
    await app.init();
    return app.getHttpAdapter().getInstance() as express.Application;
  });
  return { on: "request", listener: (req, res) => void started.then((listener) => listener(req, res)) };
}

/**
 * Express sets the prototype of each request and response. V8 12 (Node 22) makes new hidden classes for every object whose
 * prototype was set, which only a full collection frees: 11.9 KiB per request in Express 5, 7.0 KiB in Express 4. V8 13
 * (Node 24) shares them. Each property added later is one more hidden class of 1.2 KiB. We add two: the server request on
 * the request, and `emit` on the response.
 */
const withoutContext: Record<string, Host["listener"]> = {
  "Nest over Express": bareNest,
  "Express 5": bare(express),
  "Express 4": bare(express4 as unknown as typeof express),
};

async function retainedBy({ serving }: Serving): Promise<number> {
  const url = await serving(() => "ok", { maxTimeout: "30s" });
  await retainedPerRequest(url, 1000);
  return retainedPerRequest(url, 1000);
}

describe.each(plain)("$name", (host) => {
  const ours = serveOn(host);
  const listener = withoutContext[host.name];
  const framework = listener && serveOn({ ...host, listener });

  it("retains no memory of an ended request past minor garbage collections", async () => {
    const retainedByFramework = framework ? await retainedBy(framework) : 0;
    expect((await retainedBy(ours)) - retainedByFramework).toBeLessThan(framework ? 3 : 2.5);
  });
});
