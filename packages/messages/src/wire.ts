import { threadId } from "node:worker_threads";

import {
  background,
  type CancelFunc,
  type Context,
  DeadlineExceeded,
  type Key,
  run,
  withCancel,
  withDeadline,
  withValue,
} from "@throughline/context";
import {
  callable,
  describeValue,
  onEnd,
  parentOf,
  readTrace,
  refuseUnknown,
  traceHeaders,
  withTrace,
} from "@throughline/context/internal";
import { ClientDisconnected, ResponseSent, ServerDraining } from "@throughline/http";
import { isDisconnect, messageHeaders, receiveMessageValues } from "@throughline/http/adapter";

/**
 * A context as plain data, for a message to a worker thread or to another process of the same application. It survives
 * structured clone and JSON.
 */
export interface Wire {
  /** Names the wire in the message that cancels it. */
  readonly id: string;
  /** The deadline in milliseconds since the epoch. Absent without a deadline. */
  readonly deadline?: number;
  /** The trace, the criticality, and the propagated values, as headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The values of the listed keys, by the names of the keys. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/** A key of a value of any type. */
// oxlint-disable-next-line typescript/no-explicit-any -- keys are invariant in their type
type AnyKey = Key<any>;

export interface WireOptions {
  /**
   * Keys whose values are carried in addition to the propagated values. Both sides list their own keys; they are
   * matched by the name that was given to `createKey`. The channel must be able to clone the values.
   *
   * @default none
   */
  keys?: readonly AnyKey[];
}

export interface FromWireOptions extends WireOptions {
  /** Where messages of {@link linkCancel} arrive. @default the context is not canceled by its sender */
  port?: ReceivingPort;
}

/** A channel that sends: a `Worker`, a `MessagePort`, a `ChildProcess`, a worker of `node:cluster`, or `process`. */
export type SendingPort =
  | { postMessage(message: unknown): unknown }
  | { send?(message: never, callback?: (error: Error | null) => void): boolean };

/** A channel that receives: a `parentPort`, a `MessagePort`, or `process`. */
export interface ReceivingPort {
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

/** Ends the link, or stops receiving. A second call does nothing. */
export type StopLink = (() => void) & Disposable;

let wires = 0;

/**
 * Returns a context as plain data, for a message to a worker thread or a process: its deadline, its trace, its
 * criticality, its propagated values and baggage, and the values of `keys`. It carries no proof of identity.
 *
 * The deadline is a time on the wall clock, which both sides share.
 *
 * @throws ContextError the context's own error if it has ended: the receiver would start work for which nothing waits
 * @throws TypeError if an argument is invalid
 */
export function toWire(ctx: Context, options: WireOptions = {}): Wire {
  const context = parentOf(ctx, TO);
  const { keys, ...others } = options;
  refuseUnknown(others, TO);
  const names = namesOf(keys, TO);
  context.throwIfAborted();
  const headers = messageHeaders(context, true);
  // A propagator of OpenTelemetry may write the trace in another format only.
  if (headers["traceparent"] === undefined) Object.assign(headers, Object.fromEntries(traceHeaders(context)));
  const remaining = context.remaining();
  const values: Record<string, unknown> = {};
  for (const [name, key] of names) {
    const value = context.value(key);
    if (value !== undefined) values[name] = value;
  }
  return {
    // Several threads may send to one port.
    id: `${process.pid}-${threadId}-${(wires += 1)}`,
    headers,
    ...(remaining === Infinity ? undefined : { deadline: Math.floor(Date.now() + remaining) }),
    ...(names.size === 0 ? undefined : { values }),
  };
}

/**
 * Creates a context from the data of {@link toWire}. It ends at the deadline of the sender's context, when the sender
 * cancels it over `port`, and when the returned function is called, which must be done when the work is over. If the
 * deadline has passed, the context has already ended.
 *
 * A cancellation that arrives before this call is lost, so call it in the listener that receives the data, before any
 * `await`.
 *
 * @param wire must come from the same application: its values are accepted
 * @throws TypeError if an argument is invalid
 */
export function fromWire(wire: Wire, options: FromWireOptions = {}): [Context, CancelFunc] {
  const { keys, port, ...others } = options;
  refuseUnknown(others, FROM);
  const names = namesOf(keys, FROM);
  if (!isWire(wire)) {
    throw new TypeError(`Cannot ${FROM}: 'wire' must be made by toWire(); received ${describeValue(wire)}`);
  }
  const { id, deadline, headers, values = {} } = wire;
  let parent = withTrace(background, readTrace(headers["traceparent"], headers["tracestate"]));
  parent = receiveMessageValues(parent, headers, true);
  for (const [name, key] of names) {
    // oxlint-disable-next-line throughline/no-context-in-loop -- one level for each key
    if (values[name] !== undefined) parent = withValue(parent, key, values[name] as never);
  }
  const [ctx, cancel] =
    deadline === undefined ? withCancel(parent) : withDeadline(parent, deadline, { source: "the sender" });
  if (port !== undefined) {
    const cancels = cancelsOf(port);
    cancels.add(id, cancel);
    onEnd(ctx, { contextEnded: () => cancels.delete(id) });
  }
  return [ctx, cancel];
}

/**
 * Sends a message when a context is canceled, so that the context which the receiver created from `wire` is canceled
 * too. The receiver needs no message at the deadline.
 *
 * @returns a function that ends the link. Call it when the receiver has answered
 * @throws TypeError if an argument is invalid
 */
export function linkCancel(ctx: Context, port: SendingPort, wire: Wire): StopLink {
  const context = parentOf(ctx, LINK);
  if (!isWire(wire)) {
    throw new TypeError(`Cannot ${LINK}: 'wire' must be made by toWire(); received ${describeValue(wire)}`);
  }
  const send = senderOf(port);
  const link = onEnd(context, {
    contextEnded() {
      const error = context.err()!;
      if (error instanceof DeadlineExceeded) return;
      send({ type: CANCEL, id: wire.id, ...describeCause(error.cause) });
    },
  });
  const stop = (() => link.stop()) as StopLink;
  stop[Symbol.dispose] = stop;
  return stop;
}

/**
 * Calls `work` for each message of a port. A message with a property `wire` gets the context that was sent with it,
 * which is `current()` in `work`; a message without it gets one that has no deadline and no values. Messages of
 * {@link linkCancel} cancel the contexts. A message that arrives after its deadline is dropped: its sender has ended.
 *
 * An error of `work` is an unhandled rejection, unless it only reports that the context has ended.
 *
 * @returns a function that stops receiving
 * @throws TypeError if an argument is invalid
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what a message is
export function receive<M = { wire?: Wire }>(
  port: ReceivingPort,
  work: (ctx: Context, message: M) => unknown,
  options: WireOptions = {},
): StopLink {
  callable("port.on", (port as Partial<ReceivingPort> | null)?.on, RECEIVE);
  callable("work", work, RECEIVE);
  const { keys, ...others } = options;
  refuseUnknown(others, RECEIVE);
  const wired: FromWireOptions = keys === undefined ? { port } : { keys, port };
  namesOf(keys, RECEIVE);
  const listener = (message: unknown): void => {
    if (isCancelMessage(message)) return;
    const { wire } = (message ?? {}) as { wire?: unknown };
    const [ctx, cancel] = isWire(wire) ? fromWire(wire, wired) : withCancel(background);
    if (ctx.err() === undefined) void handle(ctx, cancel, work, message as M);
  };
  port.on("message", listener);
  const stop = (() => port.off("message", listener)) as StopLink;
  stop[Symbol.dispose] = stop;
  return stop;
}

async function handle<M>(
  ctx: Context,
  cancel: CancelFunc,
  work: (ctx: Context, message: M) => unknown,
  message: M,
): Promise<void> {
  try {
    await run(ctx, work, ctx, message);
  } catch (error) {
    if (ctx.err() === undefined || !isDisconnect(error)) throw error;
  } finally {
    cancel();
  }
}

const TO = "send a context";
const FROM = "receive a context";
const LINK = "link a cancellation";
const RECEIVE = "receive messages";

function namesOf(keys: readonly AnyKey[] | undefined, action: string): ReadonlyMap<string, Key<never>> {
  const names = new Map<string, Key<never>>();
  if (keys === undefined) return names;
  for (const key of Array.isArray(keys) ? (keys as readonly unknown[]) : [keys]) {
    const name = typeof key === "symbol" ? key.description : undefined;
    if (name === undefined || names.has(name)) {
      throw new TypeError(
        `Cannot ${action}: 'keys' must be a list of keys with different names, made by createKey(); ` +
          `received ${describeValue(key)}`,
      );
    }
    names.set(name, key as Key<never>);
  }
  return names;
}

function isWire(value: unknown): value is Wire {
  const { id, headers, deadline } = (value ?? {}) as Partial<Wire>;
  return (
    typeof id === "string" &&
    typeof headers === "object" &&
    headers !== null &&
    (deadline === undefined || Number.isFinite(deadline))
  );
}

/** The `type` of the message that cancels a wire. */
const CANCEL = "throughline.cancel";

interface CancelMessage {
  readonly type: typeof CANCEL;
  readonly id: string;
  /** The cause: its name and message. Structured clone and JSON lose the class of an error. */
  readonly name?: string;
  readonly message?: string;
}

function isCancelMessage(value: unknown): value is CancelMessage {
  const { type, id } = (value ?? {}) as Partial<CancelMessage>;
  return type === CANCEL && typeof id === "string";
}

function describeCause(cause: unknown): { name?: string; message?: string } {
  if (cause === undefined) return {};
  if (cause instanceof Error) return { name: cause.name, message: cause.message };
  return { message: typeof cause === "string" ? cause : describeValue(cause) };
}

/** Causes that have a class of their own on the receiving side too. */
const CAUSES = new Map([ClientDisconnected, ResponseSent, ServerDraining].map((type) => [type.name, type]));

function causeOf({ name, message }: CancelMessage): Error | undefined {
  if (message === undefined) return undefined;
  const type = CAUSES.get(name ?? "");
  return type === undefined ? Object.assign(new Error(message), name === undefined ? {} : { name }) : new type(message);
}

function senderOf(port: SendingPort): (message: CancelMessage) => void {
  const { postMessage, send } = (port ?? {}) as {
    postMessage?: (message: unknown) => void;
    send?: (message: unknown, callback: () => void) => void;
  };
  if (typeof postMessage === "function") return (message) => postMessage.call(port, message);
  // With a callback, a channel that is closed emits no error.
  if (typeof send === "function") return (message) => send.call(port, message, () => {});
  throw new TypeError(`Cannot ${LINK}: 'port' must have a method postMessage or send; received ${describeValue(port)}`);
}

/** The wires that can be canceled over one port. It has one listener, and only while there are any. */
class PortCancels {
  readonly #port: ReceivingPort;
  readonly #byId = new Map<string, CancelFunc>();
  readonly #listener = (message: unknown): void => {
    if (isCancelMessage(message)) this.#byId.get(message.id)?.(causeOf(message));
  };

  constructor(port: ReceivingPort) {
    callable("port.on", (port as Partial<ReceivingPort> | null)?.on, FROM);
    this.#port = port;
  }

  add(id: string, cancel: CancelFunc): void {
    if (this.#byId.size === 0) this.#port.on("message", this.#listener);
    this.#byId.set(id, cancel);
  }

  delete(id: string): void {
    if (this.#byId.delete(id) && this.#byId.size === 0) this.#port.off("message", this.#listener);
  }
}

const cancelsByPort = new WeakMap<ReceivingPort, PortCancels>();

function cancelsOf(port: ReceivingPort): PortCancels {
  let cancels = cancelsByPort.get(port);
  if (cancels === undefined) {
    cancels = new PortCancels(port);
    cancelsByPort.set(port, cancels);
  }
  return cancels;
}
