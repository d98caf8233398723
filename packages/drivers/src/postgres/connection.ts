import { connect, isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";

import { callAfter } from "@throughline/context/internal";

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
  /** The session that the query was sent to. */
  readonly state: Backend | null;
  /** Whether it is a COPY. */
  readonly streaming?: boolean;
}

/** The session of a connection; the same object after a reconnect. */
interface Backend {
  readonly pid: number;
  readonly secret: number;
}

/** The library's own connection. */
interface Handle {
  /** Set while the connection is reserved: a function of its own for each reservation. */
  readonly reserved: unknown;
  onclose: ((error: unknown) => void) | null;
  terminate(): void;
}

/** A tagged template function that sends its queries on one connection. */
export interface ReservedSql {
  (...args: unknown[]): unknown;
  unsafe(sql: string, args?: readonly unknown[], options?: object): Query;
  release(): void;
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
  reserve(): Promise<ReservedSql>;
  readonly options: Options;
}

export function isQuery(value: unknown): value is Query {
  return value instanceof Promise && typeof (value as Partial<Query>).handler === "function";
}

/** How long a cancel may stay without effect before it is sent again: it is lost if it arrives between two messages. */
const RESEND_MS = 100;

/** A reserved connection. */
export class Connection {
  /** Whether a transaction is open. */
  isInTransaction = false;
  readonly #sql: ReservedSql;
  readonly #handles: Map<Backend, Handle>;
  readonly #options: Options;
  readonly #forward: (query: Query) => unknown;
  /** Queries that have not settled. Each promise fulfills when its query has. */
  readonly #running = new Map<Query, Promise<void>>();
  #backend: Backend | undefined;
  #handle: Handle | undefined;
  #reservation: unknown;
  #isDestroyed = false;
  /** Rejects when the connection has closed. */
  readonly #closed = Promise.withResolvers<never>();

  private constructor(sql: ReservedSql, { options }: Pool, handles: Map<Backend, Handle>) {
    this.#sql = sql;
    this.#options = options;
    this.#handles = handles;
    this.#forward = sql.unsafe("").handler;
    this.#closed.promise.catch(ignore);
  }

  /** @param handles the connections of the pool that are known */
  static async reserve(pool: Pool, handles: Map<Backend, Handle>): Promise<Connection> {
    const connection = new Connection(await pool.reserve(), pool, handles);
    // The library opens `max` connections at most, and keeps their objects.
    if (handles.size < pool.options.max) await connection.#discover();
    return connection;
  }

  get sql(): ReservedSql {
    return this.#sql;
  }

  /** Sends a query whose resolvers were replaced by {@link intercept}. */
  send(query: Query, answered: Promise<unknown>): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error("Cannot send a statement: its connection was closed"));
    const done = this.#untilReady(query, answered).finally(() => this.#running.delete(query));
    this.#running.set(query, done.then(ignore, ignore));
    this.#forward(query);
    if (query.state !== null) this.#belongTo(query.state);
    return done;
  }

  async #untilReady(query: Query, answered: Promise<unknown>): Promise<unknown> {
    try {
      const result = await Promise.race([answered, this.#closed.promise]);
      this.#note(query, result);
      return result;
    } catch (error) {
      // A query that could not be built is rejected before the connection is ready for the next: postgres.js would
      // never settle that.
      if (!isFromServer(error) && !this.#isClosed) await this.#ready();
      throw error;
    }
  }

  /** Resolves when all that was sent before was answered. */
  async #ready(): Promise<void> {
    try {
      await Promise.race([this.#sql.unsafe(""), this.#closed.promise]);
    } catch {
      // The connection was closed.
    }
  }

  /** Resolves when no cancel is on its way to the connection. */
  async cancel(): Promise<void> {
    const [query] = this.#running.keys();
    const backend = this.#backend;
    if (query === undefined || backend === undefined) return;
    do {
      await cancelAt(this.#options, backend);
    } while (await this.#isStillRunning(query));
  }

  /** A connection that was closed meanwhile belongs to the pool already. */
  release(): void {
    if (!this.#isClosed) this.#sql.release();
  }

  /** Closes the connection. Resolves when the pool can open another in its place. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    // A write that is pending at the time of terminate() would be the last of the connection object.
    await new Promise(setImmediate);
    const handle = this.#handle;
    if (handle === undefined || this.#isClosed) return this.release();
    handle.terminate();
    await this.#closed.promise.catch(ignore);
  }

  get #isClosed(): boolean {
    return this.#handle !== undefined && this.#handle.reserved !== this.#reservation;
  }

  /** Finds the library's connection object by a query that is empty. */
  async #discover(): Promise<void> {
    let found: Handle | undefined;
    const probe = this.#sql.unsafe("", [], {
      onexecute(handle: Handle) {
        found = handle;
        return true;
      },
    });
    await probe;
    if (found === undefined || probe.state === null) return;
    this.#handles.set(probe.state, found);
    this.#belongTo(probe.state);
  }

  #belongTo(backend: Backend): void {
    if (this.#backend !== undefined) return;
    this.#backend = backend;
    this.#handle = this.#handles.get(backend);
    if (this.#handle === undefined) return;
    this.#reservation = this.#handle.reserved;
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- not an event target
    this.#handle.onclose = this.#closed.reject;
  }

  async #isStillRunning(query: Query): Promise<boolean> {
    const settled = this.#running.get(query);
    if (settled === undefined) return false;
    const late = Promise.withResolvers<void>();
    const stopTimer = callAfter(RESEND_MS, late.resolve);
    await Promise.race([settled, late.promise]);
    stopTimer();
    return this.#running.has(query) && !this.#isDestroyed;
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
