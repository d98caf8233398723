import { connect, isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

import type { Context } from "@throughline/context";

import { sendCancelRequest } from "../pg/cancel-request.ts";

// postgres.js does not export the objects that are described here. They are the same in all of 3.4.

/** A query of postgres.js: a promise that is sent when it is first awaited. */
export interface Query extends Promise<unknown> {
  /** Sends the query. */
  handler: (query: Query) => unknown;
  /** The library's own cancel. */
  canceller: unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  strings: readonly string[];
  /** Whether it is the query that the server works on: no other query is before it on its connection. */
  readonly active: boolean;
  /** The session that the query was sent to. */
  readonly state: Backend | null;
  /** Whether it is a COPY. */
  readonly streaming?: boolean;
}

interface Backend {
  readonly pid: number;
  readonly secret: number;
}

/** The library's own connection, which stays the same after a reconnect. */
interface Handle {
  execute(query: Query): unknown;
  terminate(): void;
  /**
   * Set while the connection is reserved. After each answer the library takes the connection back if `release` is
   * false and no transaction is open; otherwise it calls the function.
   */
  reserved: { (): void; readonly release?: boolean } | null;
  onclose: ((error: unknown) => void) | null;
}

/** The options of a pool, as postgres.js has parsed them. */
export interface Options {
  readonly max: number;
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false;
  readonly database: string;
  readonly ssl?: boolean | string | ConnectionOptions;
  readonly sslnegotiation?: string | null;
  readonly socket?: (options: object) => Socket | Promise<Socket>;
}

/** A pool, as far as it is used here. */
export interface Pool {
  (...args: unknown[]): unknown;
  readonly unsafe: (sql: string, args?: readonly unknown[], options?: object) => Query;
  readonly options: Options;
}

export function isQuery(value: unknown): value is Query {
  return value instanceof Promise && typeof (value as Partial<Query>).handler === "function";
}

export interface Statement {
  readonly query: Query;
  /** What the server answers: that of {@link intercept}. */
  readonly answered: Promise<unknown>;
  /** The context that it runs under; `undefined` if it must not be canceled, as COMMIT and ROLLBACK. */
  readonly ctx?: Context | undefined;
  /** Whether the pool may have the connection back as soon as the server has answered, unless it is cut. */
  readonly isLast?: boolean;
}

/**
 * A connection that is reserved as `sql.begin` of postgres.js reserves one: by a query, here an empty one, that is sent
 * together with the first statement. `sql.reserve` is not used: a caller that waits for it while a connection is closed
 * by the server is never called back, and the connection is lost to the pool.
 */
export class Connection {
  /** Whether a transaction is open. */
  isInTransaction = false;
  readonly #pool: Pool;
  /** Rejects when the connection cannot be used any more. */
  readonly #broken = Promise.withResolvers<never>();
  readonly #reservation: () => void;
  #handle: Handle | undefined;
  #backend: Backend | undefined;
  #isKept = true;
  #isBroken = false;
  /** The context of the statement that runs. */
  #running: { readonly ctx: Context | undefined } | undefined;
  /** Resolves when the statement before the next one has settled. */
  #previous: Promise<void> = Promise.resolve();

  private constructor(pool: Pool) {
    this.#pool = pool;
    this.#broken.promise.catch(() => (this.#isBroken = true));
    this.#reservation = Object.defineProperty((): void => {}, "release", { get: () => this.#isKept });
  }

  static async reserve(pool: Pool): Promise<Connection> {
    // Each connection of the pool may have an error that is left over.
    for (let attempts = pool.options.max; ; attempts--) {
      const connection = new Connection(pool);
      try {
        await connection.#open();
        return connection;
      } catch (error) {
        void connection.destroy();
        if (attempts === 0 || !LEFT_OVER.has((error as { code?: unknown }).code)) throw error;
      }
    }
  }

  /** The tagged template function whose queries are sent on the connection, after {@link intercept}. */
  get sql(): Pool {
    return this.#pool;
  }

  /** Sends a statement when those before it have settled: a cancel could hit its neighbours otherwise. */
  send(statement: Statement): Promise<unknown> {
    const done = this.#previous.then(() => this.#send(statement));
    this.#previous = done.then(ignore, ignore);
    return done;
  }

  /** Resolves when no cancel is on its way to the connection. */
  async cancel(): Promise<void> {
    // A statement that waits for its turn is not sent; the connection of one that was answered may be used by others.
    if (this.#running?.ctx?.err() === undefined || !this.#isReserved) return;
    this.#isKept = true;
    await cancelAt(this.#pool.options, this.#backend!);
  }

  /** Returns the connection, unless the pool has it already. */
  async release(): Promise<void> {
    if (!this.#isReserved) return;
    if (this.#isBroken) return this.destroy();
    this.#isKept = false;
    void this.#sync();
  }

  /** Closes the connection. Resolves when the pool can open another in its place. */
  async destroy(): Promise<void> {
    // A write that is pending at the time of terminate() would be the last of the connection object.
    await new Promise(setImmediate);
    const handle = this.#handle;
    if (handle === undefined || !this.#isReserved) return;
    const closed = Promise.withResolvers<void>();
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- not an event target
    handle.onclose = () => closed.resolve();
    handle.terminate();
    await closed.promise;
  }

  get #isReserved(): boolean {
    return this.#handle?.reserved === this.#reservation;
  }

  /** Takes a connection of the pool by an empty query. */
  async #open(): Promise<void> {
    while (this.#handle === undefined) {
      const taken = Promise.withResolvers<void>();
      const query = this.#pool.unsafe("", [], {
        onexecute: (handle: Handle) => {
          this.#take(handle, query.state!);
          // The next statement may follow at once, if no other query is before it.
          if (query.active) taken.resolve();
          return false;
        },
      });
      query.then(
        () => taken.resolve(),
        (error: unknown) => {
          // An error of the next statement, if that could not be built: the library then waits for its answer forever.
          if (!isFromServer(error)) this.#broken.reject(error);
          taken.reject(error);
        },
      );
      await taken.promise;
    }
  }

  #take(handle: Handle, backend: Backend): void {
    this.#handle = handle;
    this.#backend = backend;
    handle.reserved = this.#reservation;
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- not an event target
    handle.onclose = this.#broken.reject;
  }

  async #send({ query, answered, ctx, isLast = false }: Statement): Promise<unknown> {
    ctx?.throwIfAborted();
    if (!this.#isReserved) throw new Error("Cannot send a statement: its connection was closed");
    const done = Promise.race([answered, this.#broken.promise]);
    this.#running = { ctx };
    this.#isKept = !isLast;
    try {
      this.#handle!.execute(query);
      const result = await done;
      this.#note(query, result);
      return result;
    } catch (error) {
      // A statement that could not be built is rejected before the connection is ready for the next.
      if (!isFromServer(error) && !this.#isBroken && this.#isReserved) await this.#sync();
      throw error;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves when all that was sent before was answered. */
  async #sync(): Promise<void> {
    const query = this.#pool.unsafe("");
    const { answered } = intercept(query);
    answered.catch(ignore);
    this.#handle!.execute(query);
    await Promise.race([answered, this.#broken.promise]).catch(ignore);
  }

  /** Follows the transactions that statements begin and end. */
  #note(query: Query, result: unknown): void {
    const results = (Array.isArray(result) && !("command" in result) ? result : [result]) as { command?: unknown }[];
    for (const each of results) {
      const command = each?.command;
      if (command === "BEGIN" || command === "START TRANSACTION") this.isInTransaction = true;
      else if (command === "COMMIT" || command === "PREPARE TRANSACTION") this.isInTransaction = false;
      else if (command === "ROLLBACK" && !TO_SAVEPOINT.test(query.strings[0] ?? "")) this.isInTransaction = false;
    }
  }
}

/**
 * Errors with which a server closes a session. postgres.js keeps such an error, and rejects the first query with it
 * that is sent after the reconnect.
 */
const LEFT_OVER = new Set<unknown>(["57P01", "57P02", "57P05", "25P03", "25P04"]);

function isFromServer(error: unknown): boolean {
  return (error as { name?: unknown } | undefined)?.name === "PostgresError";
}

function ignore(): void {}

const TO_SAVEPOINT = /^\s*(?:rollback|abort)\s+(?:work\s+|transaction\s+)?to\b/i;

/**
 * Takes the place of a query's own resolvers. `answered` settles as the server answers; `resolve` and `reject` settle
 * the query for its caller.
 */
export function intercept(query: Query): {
  readonly answered: Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
} {
  const own = { resolve: query.resolve, reject: query.reject };
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  // The iterator of a cursor sets resolvers for each of its steps.
  void Object.defineProperties(query, {
    resolve: {
      get: () => resolve,
      set(next: Query["resolve"]) {
        own.resolve = next;
      },
    },
    reject: {
      get: () => reject,
      set(next: Query["reject"]) {
        own.reject = next;
      },
    },
  });
  return { answered: promise, resolve: (value) => own.resolve(value), reject: (error) => own.reject(error) };
}

/** A connection does not expose its address: the request goes to all hosts, and only one knows the key. */
async function cancelAt(options: Options, { pid, secret }: Backend): Promise<void> {
  const { host, port, path, ssl, sslnegotiation, socket } = options;
  const addresses: { readonly host?: string; readonly connect: () => Socket | Promise<Socket> }[] = socket
    ? [{ connect: () => socket(options) }]
    : path
      ? [{ connect: () => connect(path) }]
      : host.map((each, index) => ({ host: each, connect: () => connect(port[index]!, each) }));
  const isDirect = sslnegotiation === "direct";
  const sent = await Promise.allSettled(
    addresses.map((address) =>
      sendCancelRequest({
        connect: address.connect,
        tls: ssl ? tlsOf(ssl, address.host, isDirect) : undefined,
        isDirect,
        isTlsOptional: ssl === "prefer",
        processId: pid,
        secretKey: secret,
      }),
    ),
  );
  const failed = sent.find(({ status }) => status === "rejected");
  if (failed !== undefined && sent.every(({ status }) => status === "rejected")) {
    throw (failed as PromiseRejectedResult).reason;
  }
}

/** As postgres.js reads its option `ssl`. */
function tlsOf(ssl: true | string | ConnectionOptions, host: string | undefined, isDirect: boolean): ConnectionOptions {
  const options: ConnectionOptions = {};
  if (host !== undefined && isIP(host) === 0) options.servername = host;
  if (isDirect) options.ALPNProtocols = ["postgresql"];
  if (ssl === "require" || ssl === "allow" || ssl === "prefer") options.rejectUnauthorized = false;
  return typeof ssl === "object" ? { ...options, ...ssl } : options;
}
