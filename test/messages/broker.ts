import type { Context } from "@throughline/context";
import type { Consumed, ConsumeOptions, Consumers, EnvelopeOptions } from "@throughline/messages";

import type { DatabaseServer } from "../support/postgres.ts";

/** A message of the tests. */
export interface Body {
  readonly name: string;
  /** How long the work takes. @default not at all */
  readonly ms?: number;
}

/** A client library under test, with its server. */
export interface BrokerHost {
  readonly name: string;
  /** The name of the broker in spans. */
  readonly system: string;
  /** Whether the client makes the spans itself. */
  readonly tracesItself?: boolean;
  /** Why it cannot run on this machine; `undefined` if it can. */
  readonly missing: string | undefined;
  startServer(): Promise<DatabaseServer>;
  /** Connects to the server, and creates the queue if it does not exist. */
  connect(url: string, queue: string, options?: ConnectOptions): Promise<Broker>;
}

export interface ConnectOptions {
  /** How many messages a client that polls fetches at once; it polls again at once if it has got as many. @default 1 */
  readonly batchSize?: number;
}

export interface ConsumerOptions extends Pick<ConsumeOptions, "maxTimeout" | "relation" | "trust"> {
  readonly consumers?: Consumers;
  readonly onConsumed?: (consumed: Consumed<unknown>, body: Body) => void;
}

export interface Broker {
  publish(ctx: Context, body: Body, options?: EnvelopeOptions): Promise<unknown>;
  /** The function of the client that an instrumentation would wrap. */
  readonly wrappable: { readonly target: object; readonly method: string };
  consume(work: (ctx: Context, body: Body) => Promise<unknown>, options: ConsumerOptions): Promise<unknown>;
  /** The names of the messages that the broker holds as dead; absent where it holds none. */
  dead?(): Promise<readonly string[]>;
  /** How many messages the broker can deliver now; absent where it does not count them. */
  waiting?(): Promise<number>;
  /** Makes the broker take away the message that is being processed; absent where it cannot. */
  takeAway?(): Promise<unknown>;
  /** Makes the server deliver the messages of killed processes now, where it would otherwise wait for long. */
  recover?(): Promise<unknown>;
  close(): Promise<unknown>;
}
