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
 * The same bytes, with a look at their end, which is told once. Reads no more than its reader asks for.
 *
 * @param options.passed called for each chunk
 * @param options.isDropTold whether a body that is dropped unread counts as given up when it is collected: for where nothing else tells of that
 */
export function watchedBody(
  body: ReadableStream<Uint8Array>,
  end: (end: BodyEnd) => void,
  { passed, isDropTold }: { passed?: () => void; isDropTold: boolean },
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
        const { done, value } = await reader.read();
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

/** Whether this is a stream of bytes, which can be read into a buffer of the reader's. */
function takesBuffers(body: ReadableStream<Uint8Array>): boolean {
  try {
    body.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}
