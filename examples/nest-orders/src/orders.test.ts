import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { ConsoleLogger, type INestApplication } from "@nestjs/common";
import { SchedulerRegistry } from "@nestjs/schedule";
import { Test } from "@nestjs/testing";
import { runWithClock } from "@throughline/testing";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { AppModule } from "./app-module.ts";
import { STOCK_ORIGIN } from "./stock-client.ts";
import { stockService } from "./stock-service.ts";

/** Keeps the lines that the classes of this application log; drops those of Nest. */
class Lines extends ConsoleLogger {
  readonly lines: string[] = [];
  override log(message: string, context: string): void {
    if (context === "RequestLog" || context === "RestockJob") this.lines.push(message);
  }
  override warn(message: string): void {
    this.lines.push(message);
  }
  override error(error: Error): void {
    this.lines.push(error.message);
  }
}

let stock: Server;
let app: INestApplication;
let url: string;
let log: Lines;

beforeEach(async () => {
  stock = createServer(stockService()).listen(0, "127.0.0.1");
  await once(stock, "listening");
  log = new Lines();
  const testing = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(STOCK_ORIGIN)
    .useValue(addressOf(stock))
    .setLogger(log)
    .compile();
  app = testing.createNestApplication({ logger: log });
  await app.listen(0, "127.0.0.1");
  url = addressOf(app.getHttpServer() as Server);
});

afterEach(async () => {
  await app.close();
  stock.close();
});

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function get(path: string, headers: Record<string, string> = { "x-tenant": "acme" }): Promise<Response> {
  // Without keep-alive: the application waits for idle connections when it closes.
  return fetch(url + path, { headers: { ...headers, connection: "close" } });
}

function replaceStock(listener: RequestListener): void {
  stock.removeAllListeners("request").on("request", listener);
}

/** The next request that the stock service receives. */
async function nextStockRequest(): Promise<IncomingMessage> {
  const [request] = (await once(stock, "request")) as [IncomingMessage];
  return request;
}

it("an order is answered with its stock, which is counted for the tenant of the request", async () => {
  const response = await get("/orders/1");
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ order: "1", stock: { item: "lamp", tenant: "acme", pieces: 7 } });
});

it("a request without a tenant is answered 401, and calls no other service", async () => {
  const calls = vi.fn();
  stock.on("request", calls);
  expect((await get("/orders/1", {})).status).toBe(401);
  expect(calls).not.toHaveBeenCalled();
});

it("an unknown order is answered 404, by Nest", async () => {
  expect((await get("/orders/9")).status).toBe(404);
});

it("the stock service receives the time that the caller has left, less a margin", () =>
  runWithClock(async () => {
    const request = nextStockRequest();
    const response = await get("/orders/1", { "x-tenant": "acme", "grpc-timeout": "600m" });
    expect(await response.json()).toMatchObject({ timeLeft: 600 });
    expect((await request).headers["grpc-timeout"]).toBe("599m");
    expect(log.lines).toEqual(["GET /orders/1 of acme: 600 ms left"]);
  }));

it("a stock service that does not answer is abandoned at the deadline, and the request is answered 504", () =>
  runWithClock(async (clock) => {
    replaceStock(() => {});
    const request = nextStockRequest();
    const response = get("/orders/1");
    const closed = once((await request).socket, "close");
    await clock.advance("1s"); // the default timeout
    expect((await response).status).toBe(504);
    await closed;
    await vi.waitFor(() => expect(log.lines).toHaveLength(1));
    expect(log.lines).toEqual([expect.stringMatching(/^GET \/orders\/1 of acme: context deadline exceeded/)]);
  }));

it("a stock service that ends at its deadline causes a 504, and one that fails a 502", () =>
  runWithClock(async (clock) => {
    const request = nextStockRequest();
    const response = get("/orders/2"); // a sofa
    await request;
    await clock.advance("999ms");
    expect((await response).status).toBe(504);

    replaceStock((_req, res) => void res.writeHead(500).end());
    expect((await get("/orders/1")).status).toBe(502);
  }));

it("the job has a deadline of its own, and no tenant", () =>
  runWithClock(async () => {
    const request = nextStockRequest();
    await app.get(SchedulerRegistry).getCronJob("restock").fireOnTick();
    const { headers } = await request;
    expect([headers["grpc-timeout"], headers["baggage"]]).toEqual(["4999m", undefined]);
    await vi.waitFor(() => expect(log.lines).toEqual(["7 pieces of lamp are left"]));
  }));

it("a job that is active when the application closes may finish", async () => {
  const answered = Promise.withResolvers<void>();
  replaceStock((_req, res) => void answered.promise.then(() => res.end('{"item":"lamp","pieces":0}')));
  const request = nextStockRequest();
  void app.get(SchedulerRegistry).getCronJob("restock").fireOnTick();
  await request;

  const closing = app.close();
  setImmediate(answered.resolve);
  await closing;
  expect(log.lines).toEqual(["order more of lamp"]);
});
