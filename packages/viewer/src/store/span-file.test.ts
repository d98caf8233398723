import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { startViewer } from "../server/viewer.ts";
import { span } from "../span.fixture.ts";

const ids = (letter: string): [string, string] => [letter.repeat(32), letter.repeat(16)];

describe("a file of spans", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "viewer-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it("keeps them until the viewer is started again", async () => {
    const db = join(folder, "spans.db");
    const spans = [span(...ids("a"), { attributes: { list: [1, "b"] } }), span(...ids("b"), { start: 5.25 })];
    {
      await using viewer = await startViewer({ port: 0, db });
      viewer.store.add(spans);
    }
    await using viewer = await startViewer({ port: 0, db });
    expect([viewer.store.trace(ids("a")[0]), viewer.store.trace(ids("b")[0])]).toEqual([[spans[0]], [spans[1]]]);
  });

  it("lets go of what leaves the store", async () => {
    const db = join(folder, "spans.db");
    {
      await using viewer = await startViewer({ port: 0, db, maxSpans: 2 });
      for (const letter of ["a", "b", "c"]) viewer.store.add([span(...ids(letter))]);
    }
    await using viewer = await startViewer({ port: 0, db });
    expect([...viewer.store.summaries()].map(({ traceId }) => traceId[0])).toEqual(["c", "b"]);
  });

  it("is within the limits of a store that is smaller than the file", async () => {
    const db = join(folder, "spans.db");
    {
      await using viewer = await startViewer({ port: 0, db });
      for (const letter of ["a", "b", "c"]) viewer.store.add([span(...ids(letter))]);
    }
    await (await startViewer({ port: 0, db, maxSpans: 1 })).close();
    await using viewer = await startViewer({ port: 0, db });
    expect(viewer.store.size.spans).toBe(1);
  });

  it("that cannot be written to keeps nothing from being shown, and says so once", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const db = join(folder, "spans.db");
    await using viewer = await startViewer({ port: 0, db, maxSpans: 2 });
    const other = new DatabaseSync(db);
    other.exec("DROP TABLE spans");
    for (const letter of ["a", "b", "c"]) viewer.store.add([span(...ids(letter))]);
    other.close();
    expect([...viewer.store.summaries()].map(({ traceId }) => traceId[0])).toEqual(["c", "b"]);
    expect(said.mock.calls).toEqual([[expect.stringMatching(/^Cannot keep spans in .*spans.db: no such table/)]]);
    said.mockRestore();
  });

  it("shows the others if some of it is damaged, and says so", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
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
    expect(said.mock.calls).toEqual([[expect.stringMatching(/^Cannot read 3 of the spans in .*spans.db/)]]);
    said.mockRestore();
  });

  it("is refused if it is something else, which stays as it is", async () => {
    const db = join(folder, "notes.txt");
    writeFileSync(db, "These are notes, and no database, however long they may get. ".repeat(100));
    await expect(startViewer({ port: 0, db })).rejects.toThrow(
      /^Cannot keep spans in .*notes.txt: it must be a file of/,
    );
  });
});
