import { jetstream } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { type Context } from "@throughline/context";
import { Consumers, detach } from "@throughline/messages";
import { publish } from "@throughline/messages/nats";
import { sleep } from "@throughline/resilience";

/** The stream of the orders, and their subject. */
export const ORDERS = "orders";
/** Milliseconds of work for an order: more than the budget of the request that places it. */
export const BOOKING_MS = 1_000;
/** An order that is not booked by then is worthless. */
const LIFETIME = "1m";

export interface Order {
  readonly product: string;
  readonly customer: string;
}

/** Where the gateway places orders. */
export interface Orders {
  /** Resolves when the order will be booked, whether or not the process that places it goes on. */
  place(ctx: Context, order: Order): Promise<void>;
  close(): Promise<void>;
}

/** A queue in NATS, which the warehouse consumes; without its URL, the process books its orders itself. */
export async function openOrders(url: string | undefined): Promise<Orders> {
  return url === undefined ? ordersInProcess() : ordersInNats(url);
}

async function ordersInNats(url: string): Promise<Orders> {
  const connection = await connect({ servers: url });
  const client = jetstream(connection);
  return {
    async place(ctx, order) {
      await publish(ctx, client, ORDERS, JSON.stringify(order), headers(), { within: LIFETIME });
    },
    close: () => connection.drain(),
  };
}

/** Unlike a queue, it loses orders if the process crashes. */
function ordersInProcess(): Orders {
  const consumers = new Consumers();
  return {
    async place(ctx, order) {
      detach(ctx, { within: LIFETIME, consumers }, (detached) => bookOrder(detached, order));
    },
    close: () => consumers.drain({ shutdownTimeout: "3s" }),
  };
}

export async function bookOrder(ctx: Context, { product }: Order): Promise<void> {
  const span: Span = trace.getTracer("storefront").startSpan("book order", { attributes: { product } }, ctx);
  try {
    await sleep(ctx, BOOKING_MS);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    throw error;
  } finally {
    span.end();
  }
}
