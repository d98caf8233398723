import type { Context } from "@throughline/context";
import { canEnd, describeValue, hasDeadline, parentOf } from "@throughline/context/internal";

/** A `MongoClient`, as far as it is used here. */
export interface MongoClient {
  readonly options?: object;
}

/** Options of an operation of `mongodb`. */
export interface OperationOptions {
  /** How long the server may work, in whole milliseconds; absent without a deadline. */
  maxTimeMS?: number;
  /** Ends the wait for the server; absent if the context cannot end. */
  signal?: AbortSignal;
}

/**
 * The options of one operation under a context: `collection.find(filter, operationOptions(ctx, client))`. The server
 * stops an operation at the deadline by itself, because of `maxTimeMS`. When the context ends earlier, `signal` rejects
 * the operation with `ctx.err()` and closes its connection; the server then works on until the deadline. Call it anew
 * for each operation, as the time that remains is computed when it is called.
 *
 * A cursor counts `maxTimeMS` for all of its batches. Operations that take no `signal`, in versions before 6.13 or such
 * as `createIndex`, ignore it.
 *
 * It was not tested with a server: its tests check the options.
 *
 * @param client checked for `timeoutMS`, if given
 * @throws ContextError `ctx.err()` if the context has ended
 * @throws TypeError if the options of the client set `timeoutMS`: it does nothing since 7.8, and in earlier versions an
 *   operation that times out may leave a connection of the pool with an answer that was not read
 */
export function operationOptions(ctx: Context, client?: MongoClient): OperationOptions {
  const action = "derive the options of an operation";
  const context = parentOf(ctx, action);
  refuseTimeout(client, action);
  if (!canEnd(context)) return {};
  context.throwIfAborted();
  const { signal } = context;
  return hasDeadline(context) ? { maxTimeMS: Math.max(1, Math.floor(context.remaining())), signal } : { signal };
}

function refuseTimeout(client: MongoClient | undefined, action: string): void {
  if (client === undefined) return;
  const options = (client as MongoClient | null)?.options;
  if (typeof options !== "object") {
    throw new TypeError(`Cannot ${action}: 'client' must be a MongoClient; received ${describeValue(client)}`);
  }
  // Since 7.9 a client forgets the option when it is made.
  const { timeoutMS } = options as { timeoutMS?: number };
  if (timeoutMS === undefined) return;
  throw new TypeError(
    `Cannot ${action}: 'timeoutMS' of the client must not be set; received ${describeValue(timeoutMS)}: ` +
      "it does nothing in mongodb 7.8 and later, and can desynchronize the pool in earlier versions",
  );
}
