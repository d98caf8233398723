// kafkajs and SQS, for which there is no broker to test against: clients that keep the documented contract.
import { background, type Context, withTimeout } from "@throughline/context";
import { sleep } from "@throughline/resilience";
import type { Consumer, EachMessagePayload, Producer } from "kafkajs";
import { describe, expect, it, vi } from "vitest";

import { Consumers } from "./index.ts";
import * as kafka from "./kafkajs.ts";
import * as sqs from "./sqs.ts";

const EXPIRED = String(Date.now() - 1000);
const failing = (): Promise<never> => Promise.reject(new Error("a bug"));
const never = (ctx: Context): Promise<void> => sleep(ctx, "1m");

describe("kafkajs", () => {
  const payload = (headers: Record<string, Buffer> = {}): EachMessagePayload =>
    ({ topic: "orders", message: { headers }, heartbeat: vi.fn(async () => {}) }) as never;

  /** A consumer, with what it was run with. */
  function consumer(): { client: Consumer; deliver(payload: EachMessagePayload): Promise<void>; stop: unknown } {
    let eachMessage: ((payload: EachMessagePayload) => Promise<void>) | undefined;
    const stop = vi.fn(async () => {});
    const run = async (config: { eachMessage?: typeof eachMessage }): Promise<void> => void ({ eachMessage } = config);
    return { client: { run, stop } as never, deliver: (each) => eachMessage!(each), stop };
  }

  it("publishes the headers of the context beside those of the message", async () => {
    const send = vi.fn<Producer["send"]>(async () => []);
    const [ctx, cancel] = withTimeout(background, "1m");
    const message = { key: "k", value: "v", headers: { own: "1" } };
    await kafka.publish(ctx, { send }, "orders", message, { deadline: "inherit", clientOptions: { acks: 1 } });
    cancel();

    expect(send).toHaveBeenCalledWith({
      topic: "orders",
      acks: 1,
      messages: [
        {
          key: "k",
          value: "v",
          headers: expect.objectContaining({ own: "1", "throughline-deadline": expect.any(String) }),
        },
      ],
    });
  });

  it("commits what was processed and what is dead, and nothing else", async () => {
    const { client, deliver } = consumer();
    const work = vi.fn();
    await kafka.consume(client, work);
    await deliver(payload());
    await deliver(payload({ "throughline-deadline": Buffer.from(EXPIRED) }));
    expect(work).toHaveBeenCalledOnce();

    await kafka.consume(client, failing);
    await expect(deliver(payload())).rejects.toThrow("a bug");
  });

  it("stops at a drain, and does not commit a message that is handed back", async () => {
    const { client, deliver, stop } = consumer();
    const consumers = new Consumers();
    await kafka.consume(client, never, { consumers });
    const delivered = deliver(payload()).catch((error: unknown) => error);
    await consumers.drain({ shutdownTimeout: 10 });

    expect(stop).toHaveBeenCalledOnce();
    expect(await delivered).toBeInstanceOf(Error);
  });

  it("sends heartbeats while the work runs", async () => {
    vi.useFakeTimers();
    const { client, deliver } = consumer();
    await kafka.consume(client, never, { maxTimeout: "10s" });
    const message = payload();
    const delivered = deliver(message).catch(() => {});
    await vi.advanceTimersByTimeAsync(20_000);
    vi.useRealTimers();
    await delivered;

    expect(message.heartbeat).toHaveBeenCalledTimes(3);
  });
});

describe("SQS", () => {
  const QUEUE = "https://sqs.eu-central-1.amazonaws.com/123/orders";

  /** A client that delivers these messages, and then waits until the request is aborted. */
  function client(messages: sqs.SqsMessage[]): sqs.SqsConsumer<sqs.SqsMessage> & { calls: unknown[] } {
    const calls: unknown[] = [];
    return {
      calls,
      async receiveMessage(_input, { abortSignal }) {
        const message = messages.shift();
        if (message !== undefined) return { Messages: [message] };
        await new Promise((resolve) => abortSignal.addEventListener("abort", resolve));
        throw abortSignal.reason;
      },
      deleteMessage: async ({ ReceiptHandle }) => void calls.push(["delete", ReceiptHandle]),
      changeMessageVisibility: async ({ ReceiptHandle, VisibilityTimeout }) =>
        void calls.push(["visible", ReceiptHandle, VisibilityTimeout]),
    };
  }
  const expired = { MessageAttributes: { "throughline-deadline": { DataType: "String", StringValue: EXPIRED } } };

  it("publishes the headers of the context as attributes", async () => {
    const sendMessage = vi.fn(async () => ({}));
    await sqs.publish(background, { sendMessage }, QUEUE, "{}", { within: "1m", clientOptions: {} });

    expect(sendMessage).toHaveBeenCalledWith({
      QueueUrl: QUEUE,
      MessageBody: "{}",
      MessageAttributes: expect.objectContaining({
        "throughline-deadline": { DataType: "String", StringValue: expect.stringMatching(/^\d+$/) },
      }),
    });
  });

  it.each<[string, sqs.SqsMessage, () => unknown, unknown[]]>([
    ["deletes a message that was processed", {}, () => {}, ["delete", "h"]],
    ["deletes a message that is dead, without running it", expired, failing, ["delete", "h"]],
    ["makes a message that failed visible after the delay", {}, failing, ["visible", "h", 5]],
  ])("%s", async (_what, message, work, call) => {
    const found = client([{ ...message, ReceiptHandle: "h" }]);
    const stop = await sqs.consume(found, QUEUE, work, { retryDelay: "4500ms", concurrency: 1 });
    await vi.waitUntil(() => found.calls.length > 0);
    await stop();

    expect(found.calls).toEqual([call]);
  });

  it("makes a drain wait until a message is settled, also if the delivery was stopped before", async () => {
    const consumers = new Consumers();
    const found = client([{ ReceiptHandle: "h" }]);
    const settled = Promise.withResolvers<void>();
    found.deleteMessage = () => settled.promise;
    const consumed = vi.fn();
    const stop = await sqs.consume(found, QUEUE, () => {}, { consumers, concurrency: 1, onConsumed: consumed });
    const stopped = stop();
    await vi.waitUntil(() => consumed.mock.calls.length > 0);
    let isDrained = false;
    const drained = consumers.drain({ shutdownTimeout: "1m" }).then(() => (isDrained = true));
    await sleep(background, 20);
    expect(isDrained).toBe(false);
    settled.resolve();
    await Promise.all([drained, stopped]);
  });

  it("makes a message visible at once that a drain hands back, and requests no other", async () => {
    const consumers = new Consumers();
    const found = client([{ ReceiptHandle: "h" }, { ReceiptHandle: "second" }]);
    await sqs.consume(found, QUEUE, never, { consumers, concurrency: 1 });
    await vi.waitUntil(() => consumers.active > 0);
    await consumers.drain({ shutdownTimeout: 10 });

    expect(found.calls).toEqual([["visible", "h", 0]]);
  });
});
