import type { ServerResponse } from "node:http";

import type { Change } from "./api.ts";
import type { ViewedSpan } from "./span.ts";
import type { StoreObserver } from "./trace-store.ts";

/** Milliseconds between two events, so that a page is not kept busy with telling it that it has something to look at. */
const BETWEEN = 250;

/** Tells pages, by server-sent events, that spans have come in. */
export class Changes implements StoreObserver {
  readonly #listening = new Set<ServerResponse>();
  #spans = 0;
  #timer: NodeJS.Timeout | undefined;

  listen(res: ServerResponse): void {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    res.write("retry: 1000\n\n");
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
    const change: Change = { spans: this.#spans };
    for (const res of this.#listening) res.write(`event: change\ndata: ${JSON.stringify(change)}\n\n`);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const res of this.#listening) res.end();
  }
}
