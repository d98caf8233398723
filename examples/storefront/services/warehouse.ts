import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";
import { errorHandler, requestContext } from "@throughline/express";
import { Consumers } from "@throughline/messages";
import { consume } from "@throughline/messages/nats";
import express from "express";

import { bookOrder, type Order, ORDERS } from "../orders.ts";
import { start } from "../service.ts";

const WORKERS = "warehouse";

const connection = await connect({ servers: process.env["NATS_URL"]! });
const manager = await jetstreamManager(connection);
await manager.streams.add({ name: ORDERS, subjects: [ORDERS], retention: "workqueue" });
await manager.consumers.add(ORDERS, { durable_name: WORKERS, ack_policy: "explicit", ack_wait: nanos(2_000) });
const consumer = await jetstream(connection).consumers.get(ORDERS, WORKERS);

const consumers = new Consumers();
let booked = 0;
await consume(
  consumer,
  async (ctx, message) => {
    await bookOrder(ctx, message.json<Order>());
    booked += 1;
  },
  // The same trace, so that the viewer shows the request and its message together.
  { maxTimeout: "5s", relation: "parent", destination: ORDERS, consumers },
);

// HTTP, to try by hand.
const app = express();
app.use(requestContext({ maxTimeout: "5s" }));
app.get("/", (_req, res) => void res.json({ booked }));
app.use(errorHandler());

await start("warehouse", app, {
  drain: (shutdownTimeout) => consumers.drain({ shutdownTimeout }),
  close: () => connection.drain(),
});
