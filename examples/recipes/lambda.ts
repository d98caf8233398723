// AWS Lambda: the deadline is the time that is left of the invocation, less a margin in which to answer.
import { background, run, withTimeout } from "@throughline/context";
import { contextTtl, type DeadlineDialect, defaultDialects, requestContext } from "@throughline/hono";
import type { Hono } from "hono";
import { handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";

const MARGIN_MS = 500;

type Answer = (event: LambdaEvent, lambda: LambdaContext) => Promise<{ statusCode: number; body: string }>;

function remaining(lambda: Pick<LambdaContext, "getRemainingTimeInMillis">): number {
  return Math.max(0, Math.floor(lambda.getRemainingTimeInMillis() - MARGIN_MS));
}

/** A header of our own, which is replaced in each event, so that no caller can set it. */
const invocation: DeadlineDialect = { ...contextTtl, header: "lambda-remaining-ms" };

/** The middleware for an application behind API Gateway or a function URL. Callers may ask for less time, not for more. */
export const invocationContext = requestContext({ deadlineHeaders: [...defaultDialects, invocation] });

/**
 * The handler of a Lambda function for a Hono application that uses {@link invocationContext}. API Gateway does not
 * report that a client has left, so the context ends at the deadline at the latest.
 */
export function httpHandler(app: Hono): (event: LambdaEvent, lambda: LambdaContext) => ReturnType<Answer> {
  const answer: Answer = handle(app);
  return (event, lambda) => {
    const headers = { ...(event.headers as Record<string, unknown>) };
    for (const name of Object.keys(headers)) if (name.toLowerCase() === invocation.header) delete headers[name];
    headers[invocation.header] = String(remaining(lambda));
    return answer({ ...event, headers } as LambdaEvent, lambda);
  };
}

export interface QueueEvent {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[];
}

export interface QueueResult {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/**
 * A handler for SQS batches, with `ReportBatchItemFailures`. The messages are handled one after the other. Each gets an
 * equal share of the time that is left; those that are not reached, or fail, are delivered again.
 */
export function queueHandler(work: (body: string) => Promise<void>) {
  return async (event: QueueEvent, lambda: Pick<LambdaContext, "getRemainingTimeInMillis">): Promise<QueueResult> => {
    const batchItemFailures: { itemIdentifier: string }[] = [];
    const [batch, cancelBatch] = withTimeout(background, remaining(lambda));
    for (const [index, { messageId, body }] of event.Records.entries()) {
      const [ctx, cancel] = withTimeout(batch, batch.remaining() / (event.Records.length - index));
      try {
        ctx.throwIfAborted();
        await run(ctx, work, body);
      } catch {
        batchItemFailures.push({ itemIdentifier: messageId });
      } finally {
        cancel();
      }
    }
    cancelBatch();
    return { batchItemFailures };
  };
}
