import type { Duplex } from "node:stream";

import {
  type CancelFunc,
  type Context,
  createKey,
  type Duration,
  run,
  withCancel,
  withoutCancel,
  withTimeout,
  withValue,
} from "@throughline/context";
import { callable, milliseconds, parentOf, refuseUnknown } from "@throughline/context/internal";

import { isDisconnect } from "../server/disconnect.ts";
import type { Drainable } from "../server/drain.ts";
import { ClientDisconnected } from "../wire/errors.ts";

/** The close code of a server that goes away (RFC 6455, 7.4.1). */
const GOING_AWAY = 1001;

/** A close frame with this code, unmasked as all frames of a server (RFC 6455, 5.5.1). */
const CLOSE_FRAME = Uint8Array.from([0x88, 0x02, GOING_AWAY >> 8, GOING_AWAY & 0xff]);

const connectionKey = createKey<UpgradedConnection>("connection");

/** A connection that was upgraded to another protocol, such as WebSocket. */
export class UpgradedConnection implements Drainable {
  readonly socket: Duplex;
  /** `undefined` if the server has no `upgradeContext`. */
  readonly ctx: Context | undefined;
  readonly #cancel: CancelFunc | undefined;
  /** Whether the server has answered the upgrade request, and whether with a WebSocket. */
  #opened: "websocket" | "other" | undefined;
  #messages = 0;
  #isClosing = false;
  #isClosed = false;

  /** @param parent the context of the upgrade request, without whose deadline the connection goes on */
  constructor(socket: Duplex, parent?: Context) {
    this.socket = socket;
    if (parent === undefined) this.#opened = "other";
    else [this.ctx, this.#cancel] = withCancel(withValue(withoutCancel(parent), connectionKey, this));
  }

  /** Reports that the server has answered the upgrade request. */
  open(isWebSocket: boolean): void {
    this.#opened = isWebSocket ? "websocket" : "other";
    // The library that answers knows its WebSocket only after it has answered.
    if (this.#isClosing) queueMicrotask(() => this.closeWhenIdle());
  }

  /** Ends the context, and closes the connection when its messages are handled. */
  cancel(cause: unknown): void {
    this.#cancel?.(cause);
    this.closeWhenIdle();
  }

  forceAnswer(): void {
    if (this.#opened !== undefined) this.close();
  }

  beginMessage(): void {
    this.#messages += 1;
  }

  endMessage(): void {
    this.#messages -= 1;
    if (this.#isClosing) this.closeWhenIdle();
  }

  /** Closes the connection as soon as it is open and handles no message. */
  closeWhenIdle(): void {
    this.#isClosing = true;
    if (this.#messages === 0 && this.#opened !== undefined) this.close();
  }

  /** Sends the closing message of the protocol, or ends the socket if it is not known. A second call does nothing. */
  close(): void {
    if (this.#isClosed || this.socket.destroyed) return;
    this.#isClosed = true;
    const webSocket = webSocketOf(this.socket);
    if (webSocket !== undefined) webSocket.close(GOING_AWAY);
    else if (this.#opened === "websocket") this.socket.write(CLOSE_FRAME);
    else this.socket.end();
  }

  untilClosed(): Promise<void> {
    const { socket } = this;
    return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once("close", () => resolve()));
  }
}

/**
 * The `WebSocket` of the package ws, which socket.io uses too. It holds it under a symbol, which it does not export. A
 * close frame of our own would be unknown to it: it would go on to send messages, which browsers reject after a close
 * frame.
 */
function webSocketOf(socket: Duplex): { close(code: number): void } | undefined {
  for (const key of Object.getOwnPropertySymbols(socket)) {
    if (key.description !== "websocket") continue;
    const value = (socket as unknown as Record<symbol, unknown>)[key] as { close?: unknown } | undefined;
    if (typeof value?.close === "function") return value as { close(code: number): void };
  }
  return undefined;
}

export interface MessageOptions {
  /** The time in which the message must be handled. @default no limit */
  timeout?: Duration;
}

const ACTION = "handle a message";

/**
 * Handles one message of a connection in a Context of its own, which is `current()` in `work`. It ends after `timeout`,
 * when the connection closes, and when a drain has waited for `shutdownTimeout`. `drain` does not close the connection
 * while it handles a message.
 *
 * @param ctx the context of the connection: `current()` in its listeners
 * @returns a promise of the result of `work`. It rejects with the error of `work`; or, if the context of the connection
 *   has ended on arrival, with its error. It resolves with `undefined` if the error is only the consequence of a closed
 *   connection, because no client receives an answer any more
 * @throws TypeError, RangeError if an argument is invalid
 */
export function handleMessage<T>(
  ctx: Context,
  options: MessageOptions,
  work: (ctx: Context) => T | PromiseLike<T>,
): Promise<T | undefined> {
  const parent = parentOf(ctx, ACTION);
  const { timeout, ...others } = options;
  refuseUnknown(others, ACTION);
  callable("work", work, ACTION);
  const ms = timeout === undefined ? undefined : milliseconds(timeout, ACTION, "timeout");
  return handle(parent, ms, work);
}

async function handle<T>(
  parent: Context,
  ms: number | undefined,
  work: (ctx: Context) => T | PromiseLike<T>,
): Promise<T | undefined> {
  const connection = parent.value(connectionKey);
  const [ctx, cancel] = ms === undefined ? withCancel(parent) : withTimeout(parent, ms, { source: "timeout" });
  connection?.beginMessage();
  try {
    ctx.throwIfAborted();
    return await run(ctx, work, ctx);
  } catch (error) {
    if (parent.cause() instanceof ClientDisconnected && isDisconnect(error)) return undefined;
    throw error;
  } finally {
    cancel();
    connection?.endMessage();
  }
}
