import type { IncomingMessage, Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";

import { type Context, run } from "@throughline/context";
import {
  callable,
  callAfter,
  describeValue,
  refuseUnknown,
  runRequest,
  withoutStack,
} from "@throughline/context/internal";

import { activeRequestsOf } from "../server/active-requests.ts";
import { GRACE_MS } from "../server/drain.ts";
import { applyGuard, type Guard, nodeHeaders } from "../server/guard.ts";
import { HostResponse } from "../server/host-response.ts";
import { type ProblemResponse, problemResponse } from "../server/problem.ts";
import { createReceiver } from "../server/receive.ts";
import { classifyErrorOn, handleRequest } from "../server/response-lifecycle.ts";
import type { ServerOptions } from "../server/server-options.ts";
import { ClientDisconnected, ServerDraining } from "../wire/errors.ts";
import { connectionsOf } from "./connections.ts";
import { NodeIncoming } from "./node-incoming.ts";
import { http, https, process } from "./node-modules.ts";
import { UpgradedConnection } from "./upgraded-connection.ts";

/**
 * The options of a server for upgrade requests. The timeouts limit the time until the upgrade request is answered. They
 * do not limit the connection.
 */
export interface UpgradeOptions extends Omit<ServerOptions, "firstByteTimeout" | "idleTimeout"> {
  /** Decide on the upgrade request, one after the other, before its listener runs. @default none */
  guards?: readonly Guard[];
  /**
   * Called with an error of a guard that this library does not answer. The client is answered 500.
   *
   * @default emits a warning of the process
   */
  onError?: (error: unknown) => void;
}

const ACTION = "make an upgrade context";

const receivesUpgrades = new WeakSet<object>();

/**
 * Gives each upgraded connection of a server its own Context, such as each WebSocket of `ws` or socket.io. It is
 * `current()` in the listeners of `upgrade` and `connection`, and of all events of the connection. It has the values
 * and the trace of the upgrade request, and the values of its guards. It ends when the connection closes, with
 * `ClientDisconnected` as the cause, and when a drain has waited for `shutdownTimeout`, with `ServerDraining`.
 *
 * Upgrade requests are received like all others: headers of untrusted peers are removed, and admission control, the
 * deadline and the guards decide before any listener of `upgrade` is called. A request that is refused is answered with
 * a problem document.
 *
 * @returns the server
 * @throws TypeError, RangeError if an argument is invalid
 * @throws Error if the server already has an upgrade context
 */
export function upgradeContext<S extends Server | SecureServer>(server: S, options: UpgradeOptions = {}): S {
  const given: unknown = server;
  if (!(given instanceof http.Server || given instanceof https.Server)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'server' must be one of node:http or node:https; received ${describeValue(given)}`,
    );
  }
  const { guards = [], onError = warn, ...others } = options;
  if (!Array.isArray(guards) || !guards.every((guard) => typeof guard === "function")) {
    throw new TypeError(`Cannot ${ACTION}: 'guards' must be a list of functions; received ${describeValue(guards)}`);
  }
  callable("onError", onError, ACTION);
  const { firstByteTimeout, idleTimeout } = others as ServerOptions;
  if (firstByteTimeout !== undefined) refuseUnknown({ firstByteTimeout }, ACTION);
  if (idleTimeout !== undefined) refuseUnknown({ idleTimeout }, ACTION);
  const receive = createReceiver(others);
  if (receivesUpgrades.has(server)) throw new Error(`Cannot ${ACTION}: the server already has one`);
  receivesUpgrades.add(server);

  const emit = server.emit as Emit;
  const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const received = receive(req, (each) => new NodeIncoming(each));
    const { serverRequest } = received;
    activeRequestsOf(server).add(serverRequest);
    const hostResponse = new UpgradeResponse(req, socket);

    const accept = (ctx: Context): void => {
      // A drain that began while a guard decided has removed the listeners.
      if (server.listenerCount("upgrade") === 0) return refuse(new ServerDraining());
      const connection = new UpgradedConnection(socket, ctx);
      connectionsOf(server).addUpgraded(connection);
      hostResponse.handOver((isWebSocket) => connection.open(isWebSocket));
      bindSocketEvents(connection);
      runRequest(connection.ctx!, () => emit.call(server, "upgrade", req, socket, head));
    };
    const refuse = (error: unknown): void => {
      serverRequest.fail(error);
      const disposition = classifyErrorOn(error, hostResponse);
      if (disposition === "gone") return;
      if (disposition !== "pass") return hostResponse.send(problemResponse(disposition, false, hostResponse.accept));
      hostResponse.send(INTERNAL_ERROR);
      onError(error);
    };
    const applyGuards = async (ctx: Context): Promise<Context> => {
      let guarded = ctx;
      for (const guard of guards) guarded = await applyGuard(guard, nodeHeaders(req), guarded);
      return guarded;
    };
    // An error of a listener is uncaught, as without this library.
    void handleRequest(received, hostResponse, {
      run: (ctx) => (guards.length === 0 ? accept(ctx) : applyGuards(ctx).then(accept, refuse)),
      reject: (problem, started) => hostResponse.send(problemResponse(problem, started, hostResponse.accept)),
      ignore: () => {},
    });
  };
  // A listener could not delay the others until the guards have decided.
  server.emit = function (this: S, event: string | symbol, ...args: unknown[]): boolean {
    if (event !== "upgrade") return emit.call(this, event, ...args);
    upgrade(...(args as Parameters<typeof upgrade>));
    return true;
  };
  return server;
}

type Emit = (this: object, event: string | symbol, ...args: unknown[]) => boolean;

const INTERNAL_ERROR: ProblemResponse = {
  status: 500,
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  body: "Internal Server Error\n",
};

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error), { code: "THROUGHLINE_GUARD" });
}

/**
 * Runs the listeners on a socket in the context of its connection: Node emits its events in the context in which the
 * connection was accepted. The context ends before any listener of `close` is called.
 */
function bindSocketEvents(connection: UpgradedConnection): void {
  const { socket, ctx } = connection;
  const emit = socket.emit.bind(socket) as (...args: Parameters<Emit>) => boolean;
  const call = (args: Parameters<Emit>): boolean => emit(...args);
  socket.emit = (...args: Parameters<Emit>): boolean => run(ctx!, call, args);
  socket.prependOnceListener("close", () => {
    connection.cancel(withoutStack(() => new ClientDisconnected("connection closed")));
  });
}

const ignore = (): void => {};

/** The response to an upgrade request: it begins with the first write to the socket. */
class UpgradeResponse extends HostResponse {
  readonly accept: string | undefined;
  status: number | undefined = undefined;
  readonly progress = 0;
  readonly #req: IncomingMessage;
  readonly #socket: Duplex;
  #hasBegun = false;
  #onBegun: ((isWebSocket: boolean) => void) | undefined = undefined;
  #onClosed: (() => void) | undefined = undefined;

  constructor(req: IncomingMessage, socket: Duplex) {
    super();
    this.accept = req.headers.accept;
    this.#req = req;
    this.#socket = socket;
    // Node removes its own listeners before it emits `upgrade`.
    socket.on("error", ignore).once("close", () => this.#closed());
    this.#observeFirstWrite();
  }

  get isBegun(): boolean {
    return this.#hasBegun;
  }

  get isEnded(): boolean {
    return this.#hasBegun;
  }

  get isClosed(): boolean {
    const { destroyed, writableEnded } = this.#socket;
    return this.#hasBegun || destroyed || writableEnded;
  }

  get isAborted(): boolean {
    return !this.#hasBegun && this.#socket.destroyed;
  }

  get isDelivered(): boolean {
    return this.#hasBegun;
  }

  get error(): unknown {
    return this.#socket.errored ?? undefined;
  }

  onceClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else this.#onClosed = callback;
  }

  /** Leaves the socket to the listeners of the application. */
  handOver(onBegun: (isWebSocket: boolean) => void): void {
    this.#onBegun = onBegun;
    this.#socket.off("error", ignore);
  }

  send({ status, headers, body }: ProblemResponse): void {
    const socket = this.#socket;
    if (this.isClosed) return;
    const lines = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    lines.push("connection: close", `content-length: ${Buffer.byteLength(body)}`, "", body);
    // The application may still write to the socket.
    socket.on("error", ignore);
    socket.end(lines.join("\r\n"));
    // Closing it while the client still sends would reset the connection, and the client would lose the answer.
    socket.once("end", () => socket.destroy()).resume();
    const stop = callAfter(GRACE_MS, () => socket.destroy());
    socket.once("close", stop);
  }

  discardRequestBody(): void {}

  detach(): void {}

  destroy(): void {
    this.#socket.destroy();
  }

  #observeFirstWrite(): void {
    const socket = this.#socket;
    const originals = { write: socket.write.bind(socket), end: socket.end.bind(socket) };
    const observing = (method: (...args: never[]) => unknown) => {
      return (...args: unknown[]): unknown => {
        Object.assign(socket, originals);
        this.#begin(args[0]);
        return Reflect.apply(method, socket, args);
      };
    };
    Object.assign(socket, { write: observing(originals.write), end: observing(originals.end) });
  }

  #begin(chunk: unknown): void {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) return;
    const head = typeof chunk === "string" ? chunk : Buffer.from(chunk.subarray(0, 16)).toString("latin1");
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(head) ?? [];
    this.status = status === undefined ? undefined : Number(status);
    this.#hasBegun = true;
    const isWebSocket = this.status === 101 && /^websocket$/i.test(this.#req.headers.upgrade ?? "");
    this.#onBegun?.(isWebSocket);
    this.#closed();
  }

  #closed(): void {
    const callback = this.#onClosed;
    this.#onClosed = this.#onBegun = undefined;
    callback?.();
  }
}
