import { type Context, run } from "@throughline/context";

/** How a body ended: read in full, given up by its reader, or broken off by an error. */
export type BodyEnd = { readonly how: "read" | "canceled" } | { readonly how: "failed"; readonly error: unknown };

export interface WatchedBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** Has the reader fail with the error, and the source given up. Does nothing once the body has ended. */
  breakOff(error: unknown): void;
}

/** Bodies that nobody holds any more have no end but this one. Who is registered is not freed by a small collection of garbage, nor is all it leads to. */
const dropped = new FinalizationRegistry<() => void>((drop) => drop());

/**
 * The same bytes, with a look at their end, which is reported once. Reads no more than its reader asks for.
 *
 * @param options.ctx what the source is read in; by default whatever is current where it is read
 * @param options.passed called for each chunk
 * @param options.isDropTold whether a body that is dropped unread counts as given up when it is collected: for where nothing else tells of that
 */
export function watchedBody(
  body: ReadableStream<Uint8Array>,
  end: (end: BodyEnd) => void,
  { ctx, passed, isDropTold }: { ctx?: Context; passed?: () => void; isDropTold: boolean },
): WatchedBody {
  const isOfBytes = takesBuffers(body);
  const reader = body.getReader();
  let isOver = false;
  const tell = (how: BodyEnd): void => {
    if (isOver) return;
    isOver = true;
    if (isDropTold) dropped.unregister(reader);
    end(how);
  };
  const cancel = (reason?: unknown): Promise<void> => {
    tell({ how: "canceled" });
    return reader.cancel(reason);
  };

  const failed = async (error: unknown): Promise<void> => {
    tell({ how: "failed", error });
    await reader.cancel(error).catch(() => {});
  };
  // Weak, as what is kept for a dropped body must not keep the body.
  let controlled: WeakRef<{ error(reason: unknown): void }> | undefined;

  const source = {
    start(controller: { error(reason: unknown): void }): void {
      controlled = new WeakRef(controller);
    },
    async pull(controller: ReadableByteStreamController | ReadableStreamDefaultController<Uint8Array>): Promise<void> {
      try {
        const { done, value } = await (ctx === undefined ? reader.read() : run(ctx, () => reader.read()));
        if (isOver) return;
        passed?.();
        if (!done) return controller.enqueue(value);
        tell({ how: "read" });
        controller.close();
        // A pending read into the reader's own buffer is only answered so.
        if ("byobRequest" in controller) controller.byobRequest?.respond(0);
      } catch (error) {
        await failed(error);
        throw error;
      }
    },
    cancel,
  };
  // What comes from a stream of bytes is nobody else's. Any other chunk may be: it is passed on as it is, and not taken over.
  const watched = isOfBytes
    ? new ReadableStream({ type: "bytes", ...source })
    : new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
  if (isDropTold) dropped.register(watched, () => void cancel().catch(() => {}), reader);
  return {
    stream: watched,
    breakOff(error) {
      if (isOver) return;
      controlled?.deref()?.error(error);
      void failed(error);
    },
  };
}

/** Breaks a body off: see {@link WatchedBody.breakOff}. */
export type Breakable = Pick<WatchedBody, "breakOff">;

/**
 * Has a stream read through a watched one, whoever reads it, while it stays the object that it is. The watched one is made when it is first read.
 *
 * @param droppedUnread called if the stream is collected before that
 */
export function watchInPlace(
  stream: ReadableStream<Uint8Array>,
  watch: () => WatchedBody,
  droppedUnread: () => void,
): Breakable {
  const reading = new ReadInPlace(stream, watch);
  for (const name of ["getReader", "values", Symbol.asyncIterator, "pipeTo", "pipeThrough", "tee", "cancel"] as const) {
    // It may be watched already, by a request context further in.
    const before = methodOf(stream, name);
    const method = (...args: unknown[]): unknown => {
      const from = reading.readable();
      return (from === stream ? before : methodOf(from, name)).apply(from, args);
    };
    Object.defineProperty(stream, name, { configurable: true, writable: true, value: method });
  }
  // To its reader it is locked when the watched one is, not because we read it.
  const before =
    Object.getOwnPropertyDescriptor(stream, "locked") ??
    Object.getOwnPropertyDescriptor(ReadableStream.prototype, "locked")!;
  Object.defineProperty(stream, "locked", {
    configurable: true,
    get: () => reading.made?.locked ?? (before.get!.call(stream) as boolean),
  });
  dropped.register(stream, droppedUnread, reading);
  // Weak, as what is kept for a dropped body must not keep the body.
  const kept = new WeakRef(reading);
  return { breakOff: (error) => kept.deref()?.watched().breakOff(error) };
}

function methodOf(stream: object, name: PropertyKey): (...args: unknown[]) => unknown {
  return (stream as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]!;
}

class ReadInPlace {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #watch: () => WatchedBody;
  #watched: WatchedBody | undefined;
  #isMaking = false;

  constructor(stream: ReadableStream<Uint8Array>, watch: () => WatchedBody) {
    this.#stream = stream;
    this.#watch = watch;
  }

  get made(): ReadableStream | undefined {
    return this.#watched?.stream;
  }

  watched(): WatchedBody {
    if (this.#watched !== undefined) return this.#watched;
    this.#isMaking = true;
    this.#watched = this.#watch();
    this.#isMaking = false;
    dropped.unregister(this);
    return this.#watched;
  }

  /** What is read in the place of the stream: itself while the watched one takes hold of it, or where somebody else has before. */
  readable(): ReadableStream {
    if (this.#watched === undefined && (this.#isMaking || this.#stream.locked)) return this.#stream;
    return this.watched().stream;
  }
}

/**
 * Whether this is a stream of bytes, which can be read into a buffer of the reader's. Not asked of streams of other make: they may take any mode, and
 * give chunks that cannot be transferred.
 */
function takesBuffers(body: ReadableStream<Uint8Array>): boolean {
  if (!(body instanceof ReadableStream)) return false;
  try {
    body.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}
