import type { DatabaseSync, StatementSync } from "node:sqlite";

import type { ViewedSpan } from "../span.ts";
import { spanBytes } from "./span-bytes.ts";
import type { StoreObserver, TraceStore } from "./trace-store.ts";

/** Keeps the spans of the store in a SQLite file, so that they survive a restart. */
export class SpanFile implements StoreObserver {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteSpan: StatementSync;
  readonly #path: string;
  #isRestoring = false;
  #isFailing = false;

  /** @throws Error if the file cannot be opened or created, or is not a SQLite file of the viewer */
  constructor(path: string) {
    this.#path = path;
    if (path === "") throw new Error("Cannot keep spans: 'db' must be the path of a file; received an empty text");
    try {
      // Not imported: Node 22 would print a warning even if no file is used.
      this.#db = new (process.getBuiltinModule("node:sqlite").DatabaseSync)(path);
      const tables = this.#db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
      if (tables.length > 0 && !tables.some(({ name }) => name === "spans")) {
        throw new Error("it belongs to another program");
      }
      // Another viewer would not see the spans of this one, and would drop them by its own limits.
      this.#db.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        CREATE TABLE IF NOT EXISTS spans (
          trace_id TEXT NOT NULL, span_id TEXT NOT NULL, span TEXT NOT NULL, PRIMARY KEY (trace_id, span_id)
        );
        BEGIN IMMEDIATE;
        COMMIT;
      `);
      this.#insert = this.#db.prepare("INSERT OR REPLACE INTO spans (trace_id, span_id, span) VALUES (?, ?, ?)");
      this.#delete = this.#db.prepare("DELETE FROM spans WHERE trace_id = ?");
      this.#deleteSpan = this.#db.prepare("DELETE FROM spans WHERE trace_id = ? AND span_id = ?");
    } catch (error) {
      if (/database is locked/.test((error as Error).message)) {
        throw new Error(`Cannot keep spans in ${path}: another viewer uses it; give each its own file with --db`, {
          cause: error,
        });
      }
      throw new Error(
        `Cannot keep spans in ${path}: it must be a SQLite file of the viewer, or a path where it can create one: ` +
          (error as Error).message,
        { cause: error },
      );
    }
  }

  /** Adds the spans of the file to the store, in order of arrival, and observes the store from then on. */
  restore(store: TraceStore): void {
    // Observe first: if the store is smaller than before, it drops spans, which the file must drop too.
    store.observe(this);
    this.#isRestoring = true;
    const rows = this.#readAll();
    const spans = rows.map(({ span }) => parseSpan(String(span))).filter((span) => span !== undefined);
    store.add(spans);
    this.#isRestoring = false;
    const unreadable = rows.length - spans.length;
    if (unreadable > 0) console.error(`Cannot read ${unreadable} spans in ${this.#path}; they are skipped`);
  }

  #readAll(): Record<string, unknown>[] {
    try {
      return this.#db.prepare("SELECT span FROM spans ORDER BY rowid").all();
    } catch (error) {
      this.#db.close();
      throw new Error(`Cannot read the spans in ${this.#path}: ${(error as Error).message}; move the file away`, {
        cause: error,
      });
    }
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

  droppedSpan({ traceId, spanId }: ViewedSpan): void {
    this.#attempt(() => this.#deleteSpan.run(traceId, spanId));
  }

  /** Logs the first of a series of errors instead of throwing: a full disk must not fail the sender's request. */
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
      // No transaction is open: BEGIN failed, or SQLite has rolled it back.
    }
  }

  close(): void {
    this.#db.close();
  }
}

/** Returns `undefined` for a row that is damaged or has another format. */
function parseSpan(text: string): ViewedSpan | undefined {
  try {
    const span = JSON.parse(text) as ViewedSpan;
    // `spanBytes` throws if a field is missing.
    return span.traceId && span.spanId && spanBytes(span) > 0 ? span : undefined;
  } catch {
    return undefined;
  }
}
