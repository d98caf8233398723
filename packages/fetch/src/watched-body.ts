/** Told once how a body ended: read in full, given up by its reader, or broken off by an error. */
export interface BodyEnd {
  read(): void;
  canceled(reason: unknown): void;
  failed(error: unknown): void;
}

/** The same bytes, with a look at their end. Reads ahead no more than the reader asks for. */
export function watchedBody(body: ReadableStream<Uint8Array>, end: BodyEnd): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          end.read();
          controller.close();
          // A pending read into the reader's own buffer is only answered so.
          controller.byobRequest?.respond(0);
        } else {
          controller.enqueue(value);
        }
      } catch (error) {
        end.failed(error);
        throw error;
      }
    },
    cancel(reason) {
      end.canceled(reason);
      return reader.cancel(reason);
    },
  });
}
