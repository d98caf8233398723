import type { ServerResponse } from "node:http";

import type { ChangeEvent } from "../api.ts";
import type { ViewedSpan } from "../span.ts";
import type { StoreObserver } from "../store/trace-store.ts";

/** Minimum milliseconds between two events, so that a busy system does not flood the pages. */
const INTERVAL = 250;

/** Notifies pages of new spans by server-sent events. */
export class ChangeStream implements StoreObserver {
  readonly #clients = new Set<ServerResponse>();
  #spans = 0;
  #timer: NodeJS.Timeout | undefined;

  subscribe(res: ServerResponse): void {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    // The first event carries the count so far.
    res.write(`retry: 1000\n\n${this.#event()}`);
    this.#clients.add(res);
    res.once("close", () => this.#clients.delete(res));
  }

  added(spans: readonly ViewedSpan[]): void {
    this.#count(spans.length);
  }

  /** Pages show refused spans too. */
  refused(spans: number): void {
    this.#count(spans);
  }

  #count(spans: number): void {
    this.#spans += spans;
    if (this.#clients.size === 0) return;
    this.#timer ??= setTimeout(() => this.#notify(), INTERVAL).unref();
  }

  dropped(): void {}

  #notify(): void {
    this.#timer = undefined;
    // A client that does not read does not need another event.
    for (const res of this.#clients) if (!res.writableNeedDrain) res.write(this.#event());
  }

  #event(): string {
    return `event: change\ndata: ${JSON.stringify({ spans: this.#spans } satisfies ChangeEvent)}\n\n`;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const res of this.#clients) res.end();
  }
}
