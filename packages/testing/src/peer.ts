import { current, type Duration } from "@throughline/context";
import { callable, describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";
import { requestContext, type ServerOptions } from "@throughline/fetch";

import { delay } from "./delay.ts";
import { PeerCall } from "./peer-call.ts";
import { runAsPeer } from "./run-as-peer.ts";

export interface PeerOptions {
  /** The time, on the test clock if one is running, that a request and a response each take on the way. @default 0 */
  latency?: Duration;
  /**
   * The options of the peer's `requestContext`. @default all callers are trusted, so that their propagated values are
   * accepted
   */
  server?: ServerOptions;
}

/** Another service, in memory. */
export interface Peer {
  /** The origin that it answers for. */
  readonly origin: string;
  /**
   * Sends requests to it, for `createFetch({ fetch: peer.fetch })`. A request to another origin fails as one to an
   * unknown host does.
   */
  readonly fetch: typeof globalThis.fetch;
  /** The requests that it has received, in order. */
  readonly calls: readonly PeerCall[];
}

/** The part of a response that is sent without waiting for its reader, as a network does. */
const BUFFERED_BYTES = 65_536;

/**
 * Creates a service in memory. It receives requests with the headers that are really sent, in a context of its own:
 * `current()` in `handler` has the deadline, the trace and the values that the caller has sent, and it ends when the
 * caller leaves.
 *
 * @throws TypeError if `origin` is not an origin, or an option is invalid
 */
export function peer(
  origin: string,
  handler: (request: Request) => Response | Promise<Response>,
  options: PeerOptions = {},
): Peer {
  const action = "create a peer";
  callable("handler", handler, action);
  const { latency = 0, server = { trust: { verified: () => true } }, ...others } = options;
  refuseUnknown(others, action);
  const wait = milliseconds(latency, action, "latency");
  if (typeof origin !== "string" || URL.parse(origin)?.origin !== origin) {
    throw new TypeError(
      `Cannot ${action}: 'origin' must be an origin such as "http://stock.internal"; received ${describeValue(origin)}`,
    );
  }
  const calls: PeerCall[] = [];
  const callOf = new WeakMap<Request, PeerCall>();
  const serve = requestContext(async (request: Request, original: Request) => {
    const call = callOf.get(original)!;
    call.received(current());
    try {
      return await handler(request);
    } finally {
      call.handled();
    }
  }, server);

  async function fetch(...[input, init]: Parameters<typeof globalThis.fetch>): Promise<Response> {
    const request = new Request(input, init);
    const { signal, headers } = request;
    const url = new URL(request.url);
    if (url.origin !== origin) throw unknownHost(url);
    signal.throwIfAborted();
    headers.set("host", url.host);
    await delay(wait, signal);

    const leaving = new AbortController();
    const received = new Request(request, { signal: leaving.signal });
    const call = new PeerCall(received);
    calls.push(call);
    callOf.set(received, call);
    const onAbort = (): void => {
      call.abortReason = signal.reason;
      leaving.abort(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const hasEnded = (): void => {
      signal.removeEventListener("abort", onAbort);
      call.ended();
    };
    const handled = runAsPeer(answer, received);
    const response = await untilAborted(handled, signal).catch((error: unknown) => {
      hasEnded();
      // A response that comes later is read by no one.
      handled.then((late) => late.body?.cancel(error)).catch(() => {});
      throw error;
    });
    call.status = response.status;
    const body = response.body === null ? null : bodyUntilAborted(response.body, signal, hasEnded);
    if (body === null) hasEnded();
    await delay(wait, signal);
    return new Response(body, response);
  }

  async function answer(received: Request): Promise<Response> {
    try {
      return await serve(received, received);
    } catch (error) {
      // `requestContext` throws the errors that it has no response for; a server answers them so.
      callOf.get(received)!.error = error;
      return new Response("Internal Server Error", { status: 500 });
    }
  }

  return { origin, fetch, calls };
}

/** Returns a `fetch` that sends each request to the peer of its origin. */
export function fetchOf(...peers: readonly Peer[]): typeof globalThis.fetch {
  const byOrigin = new Map(peers.map((each) => [each.origin, each]));
  return async function fetch(...[input, init]) {
    const url = new URL(input instanceof Request ? input.url : input);
    const to = byOrigin.get(url.origin);
    if (to === undefined) throw unknownHost(url);
    return to.fetch(input, init);
  };
}

/** As `fetch` fails if a name has no address. */
function unknownHost(url: URL): TypeError {
  const message = `getaddrinfo ENOTFOUND ${url.hostname}`;
  const cause = Object.assign(new Error(message), {
    code: "ENOTFOUND",
    syscall: "getaddrinfo",
    hostname: url.hostname,
  });
  return new TypeError("fetch failed", { cause });
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A body that fails when the signal aborts, as that of `fetch` does. */
function bodyUntilAborted(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let onAbort: () => void;
  const ended = (): void => {
    signal.removeEventListener("abort", onAbort);
    onEnd();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        onAbort = () => {
          controller.error(signal.reason);
          void reader.cancel(signal.reason).catch(() => {});
          ended();
        };
        signal.addEventListener("abort", onAbort, { once: true });
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (signal.aborted) return;
          if (!done) return controller.enqueue(value);
          controller.close();
        } catch (error) {
          if (signal.aborted) return;
          controller.error(error);
        }
        ended();
      },
      async cancel(reason) {
        ended();
        await reader.cancel(reason);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFERED_BYTES }),
  );
}
