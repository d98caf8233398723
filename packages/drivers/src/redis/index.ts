import { requireMethods } from "../lease.ts";
import { type RedisLibrary, type WithContextOptions, wrapClient } from "../redis-commands/wrap-client.ts";

export { type WithContextOptions } from "../redis-commands/wrap-client.ts";

/** A client of `redis` (node-redis): the members that this package uses. */
export interface RedisClient {
  duplicate(): unknown;
  sendCommand(args: readonly string[]): Promise<unknown>;
  readonly options?: unknown;
}

interface Connection {
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  destroy(): void;
  ref(): void;
  unref(): void;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

/** Methods that are named like commands, but are passed to the client unchanged. */
const PASSED_THROUGH = new Set(
  "MULTI QUIT DISCONNECT SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE MONITOR WATCH UNWATCH SELECT AUTH HELLO RESET".split(
    " ",
  ),
);

/**
 * A client whose commands run under the context that is current when they are called; the client itself is not changed.
 * A command under a context that has ended is not sent. One that waits at the server, such as `blPop`, has a connection
 * of its own, and is ended there when the context ends (CLIENT UNBLOCK); so the client stays usable for others. A
 * command that takes what it returns, such as `lPop`, resolves with what it has taken, also after the end. Transactions
 * (`multi`), subscriptions and scripts are passed through: a script cannot be stopped by its client.
 *
 * @throws TypeError, RangeError if an argument is wrong
 */
export function withContext<C extends RedisClient>(client: C, options: WithContextOptions = {}): C {
  requireMethods("client", client, ["duplicate", "sendCommand"], "wrap a client");
  const { url, socket } = (client.options ?? {}) as { url?: string; socket?: { host?: string; port?: number } };
  const library: RedisLibrary<C> = {
    target:
      url === undefined ? `redis://${socket?.host ?? "localhost"}:${socket?.port ?? 6379}` : withoutCredentials(url),
    commandOf(method, args) {
      const name =
        method === "sendCommand"
          ? String((args[0] as readonly unknown[] | undefined)?.[0] ?? "").toUpperCase()
          : method.toUpperCase();
      if (method === "sendCommand") return name;
      return name in client && !PASSED_THROUGH.has(name) ? name : undefined;
    },
    async duplicate() {
      const connection = client.duplicate() as Connection;
      connection.on("error", () => {});
      await connection.connect();
      return connection as unknown as C;
    },
    idOf: async (connection) => Number(await connection.sendCommand(["CLIENT", "ID"])),
    send: (...command) => client.sendCommand(command),
    close: (connection) => (connection as unknown as Connection).destroy(),
    ref: (connection) => (connection as unknown as Connection).ref(),
    unref: (connection) => (connection as unknown as Connection).unref(),
    closing: ["close", "quit", "disconnect", "destroy", "QUIT"],
  };
  return wrapClient(client, library, options);
}

function withoutCredentials(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "" : `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
