import type { DatabaseSync, StatementSync } from "node:sqlite";

import type { ViewedSpan } from "../span.ts";
import { spanBytes } from "./span-bytes.ts";
import type { StoreObserver, TraceStore } from "./trace-store.ts";

/** Spans in a file of SQLite, so that they are still there when the viewer is started again. What leaves the store leaves the file. */
export class SpanFile implements StoreObserver {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #path: string;
  #isRestoring = false;
  #isFailing = false;

  /** @throws Error if the file cannot be opened, or is something else */
  constructor(path: string) {
    this.#path = path;
    try {
      // Not imported: Node 22 warns of it, also those who keep nothing.
      this.#db = new (process.getBuiltinModule("node:sqlite").DatabaseSync)(path);
      this.#db.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        CREATE TABLE IF NOT EXISTS spans (
          trace_id TEXT NOT NULL, span_id TEXT NOT NULL, span TEXT NOT NULL, PRIMARY KEY (trace_id, span_id)
        );
      `);
      this.#insert = this.#db.prepare("INSERT OR REPLACE INTO spans (trace_id, span_id, span) VALUES (?, ?, ?)");
      this.#delete = this.#db.prepare("DELETE FROM spans WHERE trace_id = ?");
    } catch (error) {
      throw new Error(
        `Cannot keep spans in ${path}: it must be a file of this viewer, or one that it can make: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  /** Gives the store what is kept, in the order in which it came, and follows it from then on. */
  restore(store: TraceStore): void {
    // Before the store is read into: a smaller one than the last lets go of some, which leaves the file too.
    store.observe(this);
    this.#isRestoring = true;
    const rows = this.#db.prepare("SELECT span FROM spans ORDER BY rowid").all();
    const spans = rows.map(({ span }) => spanIn(String(span))).filter((span) => span !== undefined);
    store.add(spans);
    this.#isRestoring = false;
    const unreadable = rows.length - spans.length;
    if (unreadable > 0) console.error(`Cannot read ${unreadable} of the spans in ${this.#path}: the others are shown`);
  }

  added(spans: readonly ViewedSpan[]): void {
    if (this.#isRestoring) return;
    this.#attempt(() => {
      this.#db.exec("BEGIN");
      for (const span of spans) this.#insert.run(span.traceId, span.spanId, JSON.stringify(span));
      this.#db.exec("COMMIT");
    });
  }

  dropped(traceId: string): void {
    this.#attempt(() => this.#delete.run(traceId));
  }

  /** Who sends spans can do nothing about a disk that is full: they are shown, though they cannot be kept, and that is said once. */
  #attempt(work: () => void): void {
    try {
      work();
      this.#isFailing = false;
    } catch (error) {
      this.#rollBack();
      if (!this.#isFailing) console.error(`Cannot keep spans in ${this.#path}: ${(error as Error).message}`);
      this.#isFailing = true;
    }
  }

  #rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // There is none: it failed before, or SQLite has rolled it back.
    }
  }

  close(): void {
    this.#db.close();
  }
}

/** What is damaged, or from a version that wrote otherwise, keeps nobody from seeing the others. */
function spanIn(text: string): ViewedSpan | undefined {
  try {
    const span = JSON.parse(text) as ViewedSpan;
    // What has no size is no span.
    return span.traceId && span.spanId && spanBytes(span) > 0 ? span : undefined;
  } catch {
    return undefined;
  }
}
