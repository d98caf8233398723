import { setTimeout as delay } from "node:timers/promises";

import { type Context, type Duration } from "@throughline/context";
import { milliseconds, wholeNumber } from "@throughline/context/internal";

import {
  createProcessor,
  isWrapped,
  type Processor,
  type ProcessOptions,
  type PublishOptions,
  send,
  type StopConsuming,
  stopOnDrain,
} from "./broker.ts";
import type { MessageHeaders } from "./consume.ts";

export { type ProcessOptions, type PublishOptions, type StopConsuming } from "./broker.ts";

interface Attribute {
  DataType: string | undefined;
  StringValue?: string | undefined;
}

/** A message of SQS, as far as it is used here. */
export interface SqsMessage {
  ReceiptHandle?: string | undefined;
  MessageAttributes?: Record<string, Attribute> | undefined;
}

/** The client `SQS` of `@aws-sdk/client-sqs`, as far as it is used to publish. */
export interface SqsPublisher<A> {
  sendMessage(input: {
    QueueUrl: string;
    MessageBody: string;
    MessageAttributes: Record<string, Attribute>;
  }): Promise<A>;
}

/** The client `SQS` of `@aws-sdk/client-sqs`, as far as it is used to consume. */
export interface SqsConsumer<M extends SqsMessage> {
  receiveMessage(
    input: {
      QueueUrl: string;
      MaxNumberOfMessages: number;
      WaitTimeSeconds: number;
      VisibilityTimeout: number;
      MessageAttributeNames: string[];
    },
    options: { abortSignal: AbortSignal },
  ): Promise<{ Messages?: M[] | undefined }>;
  deleteMessage(input: { QueueUrl: string; ReceiptHandle: string }): Promise<unknown>;
  changeMessageVisibility(input: {
    QueueUrl: string;
    ReceiptHandle: string;
    VisibilityTimeout: number;
  }): Promise<unknown>;
}

export interface SqsConsumeOptions<M> extends ProcessOptions<M> {
  /** How many messages are processed at once. @default 10 */
  concurrency?: number;
  /**
   * How long SQS waits before it delivers a message again that has failed, in whole seconds, rounded up.
   *
   * @default "1s"
   */
  retryDelay?: Duration;
}

const SYSTEM = "aws_sqs";
const VISIBILITY_S = 30;

/**
 * Publishes a message with what it carries of the context, in its attributes, of which SQS permits ten. SQS does not
 * drop it at its deadline: its consumer refuses it then. Tested against the documented contract of the client, not
 * against SQS.
 *
 * @throws ContextError `ctx.err()` if the context has ended, or ends first; the message may have been sent then
 * @throws TypeError, RangeError if an option is wrong
 */
export function publish<A, O extends { MessageAttributes?: Record<string, Attribute> } = object>(
  ctx: Context,
  sqs: SqsPublisher<A>,
  queueUrl: string,
  body: string,
  options: PublishOptions<O> = {},
): Promise<A> {
  const isTracedElsewhere = isWrapped(sqs, "sendMessage") || isWrapped(sqs, "send");
  const target = { system: SYSTEM, destination: nameOf(queueUrl), isTracedElsewhere };
  return send(ctx, target, options, ({ headers }) => {
    const attributes = Object.entries(headers).map(([name, value]) => [
      name,
      { DataType: "String", StringValue: value },
    ]);
    return sqs.sendMessage({
      ...options.clientOptions,
      QueueUrl: queueUrl,
      MessageBody: body,
      MessageAttributes: {
        ...(options.clientOptions as { MessageAttributes?: Record<string, Attribute> } | undefined)?.MessageAttributes,
        ...(Object.fromEntries(attributes) as Record<string, Attribute>),
      },
    });
  });
}

/**
 * Consumes a queue. A message stays invisible to other consumers while it is processed. `ack` and `dead` delete it: SQS
 * moves only messages that fail too often to the dead-letter queue; `retry` makes it visible after `retryDelay`, and
 * `requeue` at once. Tested against the documented contract of the client, not against SQS.
 *
 * @returns a function that stops the delivery, as a drain of `consumers` does; it resolves when all messages are
 * settled
 * @throws TypeError, RangeError if an option is wrong
 */
export async function consume<M extends SqsMessage>(
  sqs: SqsConsumer<M>,
  queueUrl: string,
  work: (ctx: Context, message: M) => unknown,
  options: SqsConsumeOptions<M> = {},
): Promise<StopConsuming> {
  const { concurrency = 10, retryDelay = "1s", ...others } = options;
  const retrySeconds = Math.ceil(milliseconds(retryDelay, "consume messages", "retryDelay") / 1000);
  wholeNumber("concurrency", concurrency, 1, "consume messages");
  const processor = createProcessor(SYSTEM, work, others);
  const stopped = new AbortController();
  const queue = { sqs, queueUrl, retrySeconds };
  const ended = Promise.all(Array.from({ length: concurrency }, () => pull(queue, processor, stopped.signal)));
  return stopOnDrain(processor.consumers, () => {
    stopped.abort();
    return ended;
  });
}

interface SqsQueue<M extends SqsMessage> {
  readonly sqs: SqsConsumer<M>;
  readonly queueUrl: string;
  readonly retrySeconds: number;
}

/** Receives and processes one message after the other until the signal aborts. */
async function pull<M extends SqsMessage>(
  queue: SqsQueue<M>,
  processor: Processor<M>,
  signal: AbortSignal,
): Promise<void> {
  const input = {
    QueueUrl: queue.queueUrl,
    MaxNumberOfMessages: 1,
    WaitTimeSeconds: 20,
    VisibilityTimeout: VISIBILITY_S,
    MessageAttributeNames: ["All"],
  };
  while (!signal.aborted) {
    try {
      const { Messages = [] } = await queue.sqs.receiveMessage(input, { abortSignal: signal });
      for (const message of Messages) await processOne(queue, processor, message);
    } catch (error) {
      if (signal.aborted) return;
      processor.reportError(error);
      await delay(1000, undefined, { signal }).catch(() => {});
    }
  }
}

async function processOne<M extends SqsMessage>(
  { sqs, queueUrl, retrySeconds }: SqsQueue<M>,
  processor: Processor<M>,
  message: M,
): Promise<void> {
  const handle = { QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle ?? "" };
  const hide = (seconds: number): Promise<unknown> =>
    sqs.changeMessageVisibility({ ...handle, VisibilityTimeout: seconds });
  const hiding = setInterval(() => void hide(VISIBILITY_S).catch(processor.reportError), (VISIBILITY_S * 1000) / 2);
  const received = { headers: headersOf(message), destination: nameOf(queueUrl) };
  try {
    await processor.process(message, received, ({ disposition }) => {
      clearInterval(hiding);
      if (disposition === "ack" || disposition === "dead") return sqs.deleteMessage(handle);
      return hide(disposition === "requeue" ? 0 : retrySeconds);
    });
  } finally {
    clearInterval(hiding);
  }
}

function headersOf({ MessageAttributes = {} }: SqsMessage): MessageHeaders {
  return Object.fromEntries(Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue]));
}

function nameOf(queueUrl: string): string {
  return queueUrl.slice(queueUrl.lastIndexOf("/") + 1);
}
