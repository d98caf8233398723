import { requireMethods } from "../lease.ts";
import { type RedisLibrary, type WithContextOptions, wrapClient } from "../redis-commands/wrap-client.ts";

export { type WithContextOptions } from "../redis-commands/wrap-client.ts";

/** A client of `ioredis`: the members that this package uses. */
export interface IoRedisClient {
  duplicate(): unknown;
  call(command: string, ...args: never[]): Promise<unknown>;
  readonly options?: unknown;
}

interface Connection {
  call(command: string, ...args: string[]): Promise<unknown>;
  disconnect(): void;
  once(event: "ready", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  readonly status: string;
  readonly stream?: { ref(): void; unref(): void };
}

/** Methods that are named like commands, but are passed to the client unchanged. */
const PASSED_THROUGH = new Set(
  "MULTI EXEC DISCARD PIPELINE QUIT SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE MONITOR WATCH UNWATCH SELECT AUTH HELLO RESET".split(
    " ",
  ),
);

/**
 * A client whose commands run under the context that is current when they are called; the client itself is not changed.
 * A command under a context that has ended is not sent. One that waits at the server, such as `blpop`, has a connection
 * of its own, and is ended there when the context ends (CLIENT UNBLOCK); so the client stays usable for others. A
 * command that takes what it returns, such as `lpop`, resolves with what it has taken, also after the end. Pipelines,
 * transactions, subscriptions and scripts are passed through: a script cannot be stopped by its client.
 *
 * @throws TypeError, RangeError if an argument is wrong
 */
export function withContext<C extends IoRedisClient>(client: C, options: WithContextOptions = {}): C {
  requireMethods("client", client, ["duplicate", "call"], "wrap a client");
  const { host = "localhost", port = 6379 } = (client.options ?? {}) as { host?: string; port?: number };
  const builtin = (client as { getBuiltinCommands?(): readonly string[] }).getBuiltinCommands?.() ?? [];
  const commands = new Set(builtin.map((name) => name.toUpperCase()).filter((name) => !PASSED_THROUGH.has(name)));
  const connectionOf = (connection: C): Connection => connection as unknown as Connection;
  const library: RedisLibrary<C> = {
    target: `redis://${host}:${port}`,
    commandOf(method, args) {
      if (method === "call" || method === "callBuffer") return String(args[0] ?? "").toUpperCase();
      const name = method.replace(/Buffer$/, "").toUpperCase();
      return commands.has(name) ? name : undefined;
    },
    async duplicate() {
      const connection = client.duplicate() as Connection;
      connection.on("error", () => {});
      if (connection.status !== "ready") await new Promise<void>((resolve) => connection.once("ready", resolve));
      return connection as unknown as C;
    },
    idOf: async (connection) => Number(await connectionOf(connection).call("CLIENT", "ID")),
    send: (command, ...args) => connectionOf(client).call(command!, ...args),
    close: (connection) => connectionOf(connection).disconnect(),
    ref: (connection) => connectionOf(connection).stream?.ref(),
    unref: (connection) => connectionOf(connection).stream?.unref(),
    closing: ["quit", "disconnect", "end"],
  };
  return wrapClient(client, library, options);
}
