import { type Context, run } from "@throughline/context";

/** How a body ended: read completely, canceled by its reader, or failed with an error. */
export type BodyEnd = { readonly how: "read" | "canceled" } | { readonly how: "failed"; readonly error: unknown };

export interface ObservedBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** Fails the reader with the error, and cancels the source. Does nothing once the body has ended. */
  abort(error: unknown): void;
}

/**
 * Cancels bodies that were garbage collected unread. A registered object takes a full garbage collection to be freed.
 */
const collectedBodies = new FinalizationRegistry<() => void>((cancel) => cancel());

/**
 * A stream of the same bytes that reports its end once. It reads no more than its reader asks for. A stream that is
 * garbage collected unread counts as canceled.
 *
 * @param options.ctx the context in which the source is read
 * @param options.onChunk called for each chunk
 */
export function observeBody(
  body: ReadableStream<Uint8Array>,
  onEnd: (end: BodyEnd) => void,
  { ctx, onChunk }: { ctx: Context; onChunk: () => void },
): ObservedBody {
  const isByteStream = supportsByob(body);
  const reader = body.getReader();
  let isOver = false;
  const report = (end: BodyEnd): void => {
    if (isOver) return;
    isOver = true;
    collectedBodies.unregister(reader);
    onEnd(end);
  };
  const cancel = (reason?: unknown): Promise<void> => {
    report({ how: "canceled" });
    return reader.cancel(reason);
  };
  const fail = async (error: unknown): Promise<void> => {
    report({ how: "failed", error });
    await reader.cancel(error).catch(() => {});
  };
  // Weak: `abort` is kept by the request and must not keep an unread body alive.
  let controllerRef: WeakRef<{ error(reason: unknown): void }> | undefined;

  const source = {
    start(controller: { error(reason: unknown): void }): void {
      controllerRef = new WeakRef(controller);
    },
    async pull(controller: ReadableByteStreamController | ReadableStreamDefaultController<Uint8Array>): Promise<void> {
      try {
        const { done, value } = await run(ctx, () => reader.read());
        if (isOver) return;
        onChunk();
        if (!done) return controller.enqueue(value);
        report({ how: "read" });
        controller.close();
        // A pending BYOB read settles only by this.
        if ("byobRequest" in controller) controller.byobRequest?.respond(0);
      } catch (error) {
        await fail(error);
        throw error;
      }
    },
    cancel,
  };
  // A byte stream transfers its chunks. Other streams may reuse their chunks, so these are passed on and not
  // transferred.
  const stream = isByteStream
    ? new ReadableStream({ type: "bytes", ...source })
    : new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
  collectedBodies.register(stream, () => void cancel().catch(() => {}), reader);
  return {
    stream,
    abort(error) {
      if (isOver) return;
      controllerRef?.deref()?.error(error);
      void fail(error);
    },
  };
}

export type AbortableBody = Pick<ObservedBody, "abort">;

/**
 * Redirects all reads of a stream to an observed stream, without replacing the object. The observed stream is created
 * at the first read.
 *
 * @param onCollected called if the stream is garbage collected before it is read
 */
export function observeBodyInPlace(
  stream: ReadableStream<Uint8Array>,
  observe: () => ObservedBody,
  onCollected: () => void,
): AbortableBody {
  const body = new LazyObservedBody(stream, observe);
  for (const name of ["getReader", "values", Symbol.asyncIterator, "pipeTo", "pipeThrough", "tee", "cancel"] as const) {
    // The stream's current method: a nested request context may have replaced it already.
    const before = methodOf(stream, name);
    const method = (...args: unknown[]): unknown => {
      const from = body.readable();
      return (from === stream ? before : methodOf(from, name)).apply(from, args);
    };
    Object.defineProperty(stream, name, { configurable: true, writable: true, value: method });
  }
  // The original is locked by the observing reader, so `locked` is that of the observed stream.
  const before =
    Object.getOwnPropertyDescriptor(stream, "locked") ??
    Object.getOwnPropertyDescriptor(ReadableStream.prototype, "locked")!;
  Object.defineProperty(stream, "locked", {
    configurable: true,
    get: () => body.observedStream?.locked ?? (before.get!.call(stream) as boolean),
  });
  collectedBodies.register(stream, onCollected, body);
  // Weak: `abort` is kept by the request and must not keep an unread body alive.
  const ref = new WeakRef(body);
  return { abort: (error) => ref.deref()?.observed().abort(error) };
}

function methodOf(stream: object, name: PropertyKey): (...args: unknown[]) => unknown {
  return (stream as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]!;
}

class LazyObservedBody {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #observe: () => ObservedBody;
  #observed: ObservedBody | undefined;
  #isCreating = false;

  constructor(stream: ReadableStream<Uint8Array>, observe: () => ObservedBody) {
    this.#stream = stream;
    this.#observe = observe;
  }

  get observedStream(): ReadableStream | undefined {
    return this.#observed?.stream;
  }

  observed(): ObservedBody {
    if (this.#observed !== undefined) return this.#observed;
    this.#isCreating = true;
    this.#observed = this.#observe();
    this.#isCreating = false;
    collectedBodies.unregister(this);
    return this.#observed;
  }

  /**
   * The stream to read: the original while the observed one takes its reader, or if other code has locked it before.
   */
  readable(): ReadableStream {
    if (this.#observed === undefined && (this.#isCreating || this.#stream.locked)) return this.#stream;
    return this.observed().stream;
  }
}

/**
 * Whether this is a byte stream, which can be read into the reader's buffer (BYOB). False for streams of other
 * implementations: some accept any mode, and return chunks that cannot be transferred.
 */
function supportsByob(body: ReadableStream<Uint8Array>): boolean {
  if (!(body instanceof ReadableStream)) return false;
  try {
    body.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}
