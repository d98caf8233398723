import { type Context, current, type Duration } from "@throughline/context";
import { callAfter, canEnd, milliseconds, onEnd, refuseUnknown, wholeNumber } from "@throughline/context/internal";
import { Semaphore } from "@throughline/resilience";

import { borrow, Call, destroy, type Driver, giveBack, stop } from "../lease.ts";
import { overlay } from "../overlay.ts";

// Shared by node-redis and ioredis: a command that waits at the server needs a connection of its own, and is ended
// there by CLIENT UNBLOCK.

export interface WithContextOptions {
  /**
   * Maximum number of connections for commands that wait at the server, such as BLPOP. More commands queue. @default 10
   */
  maxBlocking?: number;
  /** How long a command that was ended may take to answer, before its connection is closed. @default "1s" */
  grace?: Duration;
}

/** How the two client libraries differ. */
export interface RedisLibrary<C extends object> {
  readonly target: string;
  /** The command that a method sends, in capitals; `undefined` for a method that sends none. */
  commandOf(method: string, args: readonly unknown[]): string | undefined;
  /** Opens a connection with the same options. */
  duplicate(): Promise<C>;
  /** The id of a connection (CLIENT ID). */
  idOf(connection: C): Promise<number>;
  /** Sends a command on the shared client. */
  send(...command: string[]): Promise<unknown>;
  close(connection: C): void;
  /** Lets the process end while the connection is idle. */
  unref(connection: C): void;
  ref(connection: C): void;
  /** Methods of the client that close it. */
  readonly closing: readonly string[];
}

/** Commands that wait at the server until there is something to return, or until their own timeout. */
const BLOCKING = new Set("BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF".split(" "));

/** Commands that wait if they are given BLOCK. */
const BLOCKING_BY_OPTION = new Set(["XREAD", "XREADGROUP"]);

/** Commands that remove the element which they return: a dropped reply would lose it. */
const REMOVING = new Set(
  "BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP XREADGROUP LPOP RPOP LMOVE LMPOP RPOPLPUSH SPOP ZPOPMIN ZPOPMAX ZMPOP GETDEL HGETDEL".split(
    " ",
  ),
);

type Method = (...args: unknown[]) => unknown;

/** A connection for commands that wait. */
interface BlockingConnection<C> {
  readonly client: C;
  readonly id: number;
}

/**
 * A client whose commands run under the context that is current when they are called.
 *
 * - A command under a context that has ended is not sent. One in flight when the context ends rejects with `ctx.err()`,
 *   and its reply is ignored.
 * - A command that removes the element which it returns still resolves with its reply after the context ends, for
 *   `grace`, as the element would be lost.
 * - A command that waits at the server has a connection of its own, and is ended there by CLIENT UNBLOCK.
 */
export function wrapClient<C extends object>(client: C, library: RedisLibrary<C>, options: WithContextOptions): C {
  const action = "wrap a client";
  const { maxBlocking = 10, grace = "1s", ...others } = options;
  refuseUnknown(others, action);
  const graceMs = milliseconds(grace, action, "grace");
  const connections = blockingConnections(library, wholeNumber("maxBlocking", maxBlocking, 1, action));
  const methods = new Map<string, Method>();

  const under = (ctx: Context, name: string, method: string, args: unknown[]): Promise<unknown> => {
    if (isBlocking(name, args)) return runBlocking(ctx, connections.driver, name, method, args, graceMs);
    const call = new Call(ctx, name, library.target);
    const send = (): Promise<unknown> =>
      (client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]!(...args);
    return runShared(ctx, call, send, REMOVING.has(name) ? graceMs : undefined);
  };
  const wrapped = (method: string): Method => {
    let known = methods.get(method);
    if (known === undefined) {
      known = (...args) => {
        const ctx = current();
        const own = client as unknown as Record<string, Method>;
        const name = library.commandOf(method, args);
        if (name === undefined || !canEnd(ctx)) return own[method]!(...args);
        const callback = typeof args.at(-1) === "function" ? (args.pop() as Method) : undefined;
        const result = under(ctx, name, method, args);
        if (callback === undefined) return result;
        return void result.then(
          (value) => callback(null, value),
          (error: unknown) => callback(error),
        );
      };
      methods.set(method, known);
    }
    return known;
  };
  const closers = library.closing.map((name) => [
    name,
    (...args: unknown[]) => {
      connections.closeIdle();
      return (client as unknown as Record<string, Method>)[name]!(...args);
    },
  ]);
  return overlay(client, Object.fromEntries(closers), (key, value) =>
    typeof value === "function" && library.commandOf(key, []) !== undefined ? wrapped(key) : undefined,
  );
}

function isBlocking(name: string, args: readonly unknown[]): boolean {
  return BLOCKING.has(name) || (BLOCKING_BY_OPTION.has(name) && args.flat(2).some(isBlockOption));
}

function isBlockOption(arg: unknown): boolean {
  if (typeof arg === "string") return arg.toUpperCase() === "BLOCK";
  return typeof arg === "object" && arg !== null && Object.keys(arg).some((key) => key.toUpperCase() === "BLOCK");
}

/** A command on the shared connection, where it waits for nothing but the network. */
function runShared(
  ctx: Context,
  call: Call,
  send: () => Promise<unknown>,
  waitMs: number | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    ctx.throwIfAborted();
    let stopTimer = (): void => {};
    const cut = (): void => {
      call.interrupted("query");
      reject(ctx.err());
    };
    const end = onEnd(ctx, {
      contextEnded() {
        if (waitMs === undefined) cut();
        else stopTimer = callAfter(waitMs, cut);
      },
    });
    const settled = (settle: () => void): void => {
      end.stop();
      stopTimer();
      settle();
    };
    send().then(
      (value) => settled(() => resolve(value)),
      (error: unknown) => settled(() => reject(ctx.err() ?? error)),
    );
  });
}

/** A command that waits, on a connection of its own. */
async function runBlocking<C extends object>(
  ctx: Context,
  driver: Driver<BlockingConnection<C>>,
  name: string,
  method: string,
  args: readonly unknown[],
  graceMs: number,
): Promise<unknown> {
  const call = new Call(ctx, name, driver.target);
  const borrowed = await borrow(ctx, driver, call);
  const client = borrowed.connection.client as unknown as Record<
    string,
    (...args: readonly unknown[]) => Promise<unknown>
  >;
  const running = (async () => client[method]!(...args))();
  return new Promise((resolve, reject) => {
    let isEnded = false;
    const end = onEnd(ctx, {
      contextEnded() {
        isEnded = true;
        void finish();
      },
    });
    const finish = async (): Promise<void> => {
      call.interrupted("query");
      // A command that removes nothing is rejected immediately.
      if (!REMOVING.has(name)) reject(ctx.err());
      const isStopped = await stop(borrowed, running, graceMs);
      const taken = isStopped ? await running.catch(() => undefined) : undefined;
      if (taken === undefined || taken === null) reject(ctx.err());
      else resolve(taken);
      await (isStopped ? giveBack(borrowed) : destroy(borrowed));
    };
    const settled = (settle: () => void): void => {
      if (isEnded) return;
      end.stop();
      giveBack(borrowed).then(settle, reject);
    };
    running.then(
      (value) => settled(() => resolve(value)),
      (error: unknown) => settled(() => reject(ctx.err() ?? error)),
    );
  });
}

/** Connections for commands that wait: opened when they are needed, and kept. */
function blockingConnections<C extends object>(
  library: RedisLibrary<C>,
  max: number,
): { readonly driver: Driver<BlockingConnection<C>>; closeIdle(): void } {
  const idle: BlockingConnection<C>[] = [];
  let isClosed = false;
  const driver: Driver<BlockingConnection<C>> = {
    async acquire() {
      const known = idle.pop();
      if (known !== undefined) {
        library.ref(known.client);
        return known;
      }
      const client = await library.duplicate();
      return { client, id: await library.idOf(client) };
    },
    release(connection) {
      if (isClosed) return library.close(connection.client);
      library.unref(connection.client);
      idle.push(connection);
    },
    destroy: ({ client }) => library.close(client),
    cancel: ({ id }) => library.send("CLIENT", "UNBLOCK", String(id), "ERROR"),
    permits: new Semaphore(max),
    target: library.target,
  };
  const closeIdle = (): void => {
    isClosed = true;
    for (const { client } of idle.splice(0)) library.close(client);
  };
  return { driver, closeIdle };
}
