import type { ServerResponse } from "node:http";

import type { Change } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import type { StoreObserver } from "../store/trace-store.ts";

/** Milliseconds between two events, so that a page is not kept busy with telling it that it has something to look at. */
const BETWEEN = 250;

/** Tells pages, by server-sent events, that spans have come in. */
export class Changes implements StoreObserver {
  readonly #listening = new Set<ServerResponse>();
  #spans = 0;
  #timer: NodeJS.Timeout | undefined;

  listen(res: ServerResponse): void {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    // What there has been so far, to count from.
    res.write(`retry: 1000\n\n${this.#event()}`);
    this.#listening.add(res);
    res.once("close", () => this.#listening.delete(res));
  }

  added(spans: readonly ViewedSpan[]): void {
    this.#spans += spans.length;
    if (this.#listening.size === 0) return;
    this.#timer ??= setTimeout(() => this.#tell(), BETWEEN).unref();
  }

  dropped(): void {}

  #tell(): void {
    this.#timer = undefined;
    // To one that does not read it is no news that there is some.
    for (const res of this.#listening) if (!res.writableNeedDrain) res.write(this.#event());
  }

  #event(): string {
    return `event: change\ndata: ${JSON.stringify({ spans: this.#spans } satisfies Change)}\n\n`;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const res of this.#listening) res.end();
  }
}
