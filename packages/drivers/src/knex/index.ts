import { type Context, type Duration, run } from "@throughline/context";
import { callable, canEnd, describeValue, milliseconds, parentOf, refuseUnknown } from "@throughline/context/internal";
import { Semaphore } from "@throughline/resilience";

import { borrow, Call, type Driver, lease, requireMethods } from "../lease.ts";
import { overlay } from "../overlay.ts";
import { type CancelableClient, cancelRequest } from "../pg/cancel-request.ts";
import { kindOf, operationOf, Session } from "../session.ts";

/** An instance of Knex, as far as it is used here. Its own types fit. */
export interface KnexInstance {
  readonly client: unknown;
  transaction(...args: never[]): unknown;
}

/** A query builder, a raw query or a schema builder. */
export interface KnexBuilder<T> extends PromiseLike<T> {
  // oxlint-disable-next-line typescript/no-explicit-any -- knex: "any"
  connection(connection: any): unknown;
}

/** The transaction that the work is given: `Knex.Transaction`. */
export type KnexTransaction<K extends KnexInstance> = K extends { transaction(...args: infer Args): unknown }
  ? Args extends [(trx: infer Transaction) => unknown, ...unknown[]]
    ? Transaction
    : never
  : never;

/** A connection of the driver that knex uses. */
interface Connection {
  query(...args: unknown[]): unknown;
  destroy?(): void;
  /** Clients of pg. */
  getTransactionStatus?(): "I" | "T" | "E" | null;
  __knex__disposed?: unknown;
}

interface Client {
  acquireConnection(): Promise<Connection>;
  releaseConnection(connection: Connection): Promise<void>;
  destroyRawConnection(connection: Connection): Promise<unknown>;
  cancelQuery(connection: Connection): Promise<unknown>;
  readonly canCancelQuery: boolean;
  readonly config: { readonly client?: unknown; readonly connectionPool?: { readonly options?: { max?: number } } };
  readonly pool?: { readonly max?: number };
  readonly driverName?: string;
  readonly connectionSettings?: { readonly host?: string; readonly port?: number; readonly database?: string };
}

const known = new WeakMap<object, Driver<Connection>>();

/** Connections with an open transaction, of drivers that do not report it. */
const open = new WeakSet<Connection>();

/** The driver of a knex client; the same for all uses, as they share its connections. */
function driverOf(knex: KnexInstance, action: string): Driver<Connection> {
  const client = (knex as Partial<KnexInstance> | undefined)?.client as Client;
  const entry = known.get(client ?? {});
  if (entry !== undefined) return entry;
  requireMethods("knex.client", client, ["acquireConnection", "releaseConnection", "cancelQuery"], action);
  if (!client.canCancelQuery) {
    throw new TypeError(
      `Cannot ${action}: the client of 'knex' must be able to cancel queries, such as "pg" and "mysql2"; received ${describeValue(client.config.client)}`,
    );
  }
  const max = client.pool?.max ?? client.config.connectionPool?.options?.max;
  const { host = "localhost", port = "", database = "" } = client.connectionSettings ?? {};
  const driver: Driver<Connection> = {
    acquire: () => client.acquireConnection(),
    release: (connection) => client.releaseConnection(connection),
    async destroy(connection) {
      // The pool checks this before it gives the connection to anyone.
      connection.__knex__disposed = new Error("closed with its context");
      if (connection.destroy === undefined) client.destroyRawConnection(connection).catch(() => {});
      else connection.destroy();
      await client.releaseConnection(connection);
    },
    cancel: (connection) => (isPg(connection) ? cancelRequest(connection) : client.cancelQuery(connection)),
    isClean: (connection) =>
      connection.getTransactionStatus === undefined ? !open.has(connection) : connection.getTransactionStatus() === "I",
    permits: max === undefined ? undefined : new Semaphore(max),
    target: `${client.driverName ?? "knex"}://${host}${port === "" ? "" : `:${port}`}/${database}`,
  };
  known.set(client, driver);
  return driver;
}

function isPg(connection: object): connection is CancelableClient {
  return (connection as Partial<CancelableClient>).connection?.stream !== undefined && "processID" in connection;
}

export interface QueryOptions {
  /** How long a canceled statement may take to stop, before its connection is closed. @default "1s" */
  grace?: Duration;
}

/**
 * Runs a query until `ctx` ends: then it rejects at once with `ctx.err()`, and the server cancels the statement. With
 * PostgreSQL that is a cancel request, which works while the server accepts no more sessions; otherwise knex's own
 * `cancelQuery`. Under a context that cannot end it is `await builder`.
 *
 * @param builder must not have been awaited, and must not belong to a transaction: those of {@link transaction} run
 *   under its context
 * @throws ContextError `ctx.err()` if the context has ended or ends
 * @throws TypeError if the client cannot cancel queries, such as SQLite
 */
export async function query<T>(
  ctx: Context,
  knex: KnexInstance,
  builder: KnexBuilder<T>,
  options: QueryOptions = {},
): Promise<T> {
  const context = parentOf(ctx, "query");
  requireMethods("builder", builder, ["connection", "then"], "query");
  const { grace = "1s", ...others } = options;
  refuseUnknown(others, "query");
  const driver = driverOf(knex, "query");
  if (!canEnd(context)) return builder;
  return lease(context, driver, (connection) => runOn(connection, builder), { grace, operation: "QUERY" });
}

/** The builder reads its connection when it is started, and is then free for other uses. */
function runOn<T>(connection: Connection, builder: KnexBuilder<T>): Promise<T> {
  builder.connection(connection);
  const result = new Promise<T>((resolve, reject) => void builder.then(resolve, reject));
  builder.connection(undefined);
  return result;
}

export interface TransactionOptions extends QueryOptions {
  /** As that of `knex.transaction`: `"serializable"`. @default what the server is set to */
  isolationLevel?: string;
  /** @default false */
  readOnly?: boolean;
}

/**
 * Runs `work` in a transaction, by `knex.transaction`, and commits it. When `ctx` ends, it rejects at once with
 * `ctx.err()`, the statement that runs is canceled, the transaction is rolled back, and the connection is returned;
 * statements that `work` sends later reject. A COMMIT that has been sent is not canceled: its result counts. `work`
 * runs with `ctx` as the current context, and awaits its queries as usual: `await trx("orders").insert(order)`.
 *
 * @throws ContextError `ctx.err()` if the context has ended or ends before COMMIT
 * @throws TypeError if the client cannot cancel queries, such as SQLite
 */
export async function transaction<K extends KnexInstance, T>(
  ctx: Context,
  knex: K,
  work: (trx: KnexTransaction<K>) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const action = "run a transaction";
  const context = parentOf(ctx, action);
  callable("work", work, action);
  const { grace = "1s", isolationLevel, readOnly, ...others } = options;
  refuseUnknown(others, action);
  const graceMs = milliseconds(grace, action, "grace");
  const config = { ...(isolationLevel && { isolationLevel }), ...(readOnly && { readOnly }) };
  const driver = driverOf(knex, action);
  const borrowed = await borrow(context, driver, new Call(context, "CONNECT", driver.target));
  const { connection } = borrowed;
  const session = new Session(context, borrowed, { graceMs, rollback: () => send(connection, ["ROLLBACK"]) });
  const own = overlay(connection, {
    query(...args: unknown[]): unknown {
      // Streams: whether they have ended is known when the server answers to the COMMIT or ROLLBACK behind them.
      if (typeof args.at(-1) !== "function") return connection.query(...args);
      const callback = args.pop() as (error: unknown, ...results: unknown[]) => void;
      const text = textOf(args[0]);
      session
        .run(kindOf(text), operationOf(text), () => send(connection, args))
        .then(
          (results) => callback(null, ...(results ?? [])),
          (error: unknown) => callback(error),
        );
      return undefined;
    },
  });
  const done = run(
    context,
    () => knex.transaction(...([work, { ...config, connection: own }] as never[])) as Promise<T>,
  );
  return session.untilEnd(done);
}

const BEGINS = /^(?:begin|start\s+transaction)\b/i;

/** Sends a statement by the driver's own method, which takes a callback. */
function send(connection: Connection, args: readonly unknown[]): Promise<unknown[]> {
  const text = textOf(args[0]);
  const ends = kindOf(text) !== "statement" && !/\bto\b/i.test(text);
  return new Promise((resolve, reject) => {
    if (BEGINS.test(text)) open.add(connection);
    connection.query(...args, (error: unknown, ...results: unknown[]) => {
      if (error) return reject(error);
      if (ends) open.delete(connection);
      resolve(results);
    });
  });
}

/** The text of a statement: of pg's configuration, or mysql's options. */
function textOf(query: unknown): string {
  if (typeof query === "string") return query;
  const { text, sql } = (query ?? {}) as { text?: string; sql?: string };
  return text ?? sql ?? "";
}
