import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { startViewer } from "../server/viewer.ts";
import { span } from "../span.fixture.ts";

const ids = (letter: string): [string, string] => [letter.repeat(32), letter.repeat(16)];

describe("the file of spans", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "viewer-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it("restores the spans after a restart", async () => {
    const db = join(folder, "spans.db");
    const spans = [span(...ids("a"), { attributes: { list: [1, "b"] } }), span(...ids("b"), { start: 5.25 })];
    {
      await using viewer = await startViewer({ port: 0, db });
      viewer.store.add(spans);
    }
    await using viewer = await startViewer({ port: 0, db });
    expect([viewer.store.trace(ids("a")[0]), viewer.store.trace(ids("b")[0])]).toEqual([[spans[0]], [spans[1]]]);
  });

  it("deletes spans that the store drops", async () => {
    const db = join(folder, "spans.db");
    {
      await using viewer = await startViewer({ port: 0, db, maxSpans: 2 });
      for (const letter of ["a", "b", "c"]) viewer.store.add([span(...ids(letter))]);
    }
    await using viewer = await startViewer({ port: 0, db });
    expect([...viewer.store.summaries()].map(({ traceId }) => traceId[0])).toEqual(["c", "b"]);
  });

  it("shrinks to the limits of a store that is smaller than the file", async () => {
    const db = join(folder, "spans.db");
    {
      await using viewer = await startViewer({ port: 0, db });
      for (const letter of ["a", "b", "c"]) viewer.store.add([span(...ids(letter))]);
    }
    await (await startViewer({ port: 0, db, maxSpans: 1 })).close();
    await using viewer = await startViewer({ port: 0, db });
    expect(viewer.store.size.spans).toBe(1);
  });

  it("logs once that it cannot be written, and the store keeps working", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const db = join(folder, "spans.db");
    await (await startViewer({ port: 0, db })).close();
    const other = new DatabaseSync(db);
    other.exec("CREATE TRIGGER full BEFORE INSERT ON spans BEGIN SELECT RAISE(FAIL, 'disk full'); END");
    other.close();
    await using viewer = await startViewer({ port: 0, db, maxSpans: 2 });
    for (const letter of ["a", "b"]) viewer.store.add([span(...ids(letter))]);
    expect([...viewer.store.summaries()].map(({ traceId }) => traceId[0])).toEqual(["b", "a"]);
    expect(logged.mock.calls).toEqual([[expect.stringMatching(/^Cannot keep spans in .*spans.db: disk full/)]]);
    logged.mockRestore();
  });

  it("skips damaged rows and logs their number", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const db = join(folder, "spans.db");
    {
      await using viewer = await startViewer({ port: 0, db });
      viewer.store.add(["a", "b", "c", "d"].map((letter) => span(...ids(letter))));
    }
    const file = new DatabaseSync(db);
    const damage = file.prepare("UPDATE spans SET span = ? WHERE trace_id = ?");
    damage.run("{", ids("a")[0]);
    damage.run("null", ids("b")[0]);
    damage.run(JSON.stringify(span(...ids("c"), { attributes: { none: null as never } })), ids("c")[0]);
    file.close();
    await using viewer = await startViewer({ port: 0, db });
    expect([...viewer.store.summaries()].map(({ traceId }) => traceId[0])).toEqual(["d"]);
    expect(logged.mock.calls).toEqual([[expect.stringMatching(/^Cannot read 3 spans in .*spans.db/)]]);
    logged.mockRestore();
  });

  it("rejects a second viewer on the same file, and keeps the spans of the first", async () => {
    const db = join(folder, "spans.db");
    {
      await using viewer = await startViewer({ port: 0, db });
      viewer.store.add([span(...ids("a")), span(...ids("b"))]);
      await expect(startViewer({ port: 0, db, maxSpans: 1 })).rejects.toThrow(
        /^Cannot keep spans in .*spans.db: another viewer uses it/,
      );
    }
    await using viewer = await startViewer({ port: 0, db });
    expect(viewer.store.size.spans).toBe(2);
  });

  it("rejects the SQLite file of another program, and leaves it alone", async () => {
    const db = join(folder, "other.db");
    const other = new DatabaseSync(db);
    other.exec("CREATE TABLE users (id INTEGER)");
    other.close();
    await expect(startViewer({ port: 0, db })).rejects.toThrow(/other.db: .*it belongs to another program/);
    await expect(startViewer({ port: 0, db: "" })).rejects.toThrow("'db' must be the path of a file");
  });

  it("rejects a file that is not SQLite", async () => {
    const db = join(folder, "notes.txt");
    writeFileSync(db, "These are notes, and no database, however long they may get. ".repeat(100));
    await expect(startViewer({ port: 0, db })).rejects.toThrow(
      /^Cannot keep spans in .*notes.txt: it must be a SQLite file/,
    );
  });
});
