import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { typescript } from "@throughline/test/support/typescript.ts";
import { afterEach, expect, it } from "vitest";

import { formatTraces } from "./otlp/otlp-export.ts";
import { span } from "./span.fixture.ts";

const CLI = fileURLToPath(new URL("cli.ts", import.meta.url));

let child: ChildProcess | undefined;
afterEach(() => child?.kill("SIGKILL"));

async function start(...args: string[]): Promise<string> {
  child = spawn(process.execPath, [...typescript, CLI, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [output] = await once(child.stdout!.setEncoding("utf8"), "data");
  return output as string;
}

it("prints its address, and closes and exits with 0 on SIGTERM", async () => {
  const output = await start("--port", "0");
  const url = /^Viewer: (http:\/\/127\.0\.0\.1:\d+)\n/.exec(output)![1]!;
  expect((await fetch(`${url}/api/traces`)).status).toBe(200);
  child!.kill("SIGTERM");
  expect(await once(child!, "exit")).toEqual([0, null]);
});

it("opens files, and prints where their traces are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "viewer-"));
  const file = join(folder, "trace.json");
  const traceId = "a".repeat(32);
  writeFileSync(file, JSON.stringify(formatTraces([span(traceId, "b".repeat(16))])));
  const output = await start("--port", "0", file);
  rmSync(folder, { recursive: true });
  const [, url] = /trace\.json: 1 spans, (http:\/\/127\.0\.0\.1:\d+)\/#\/trace\/a{32}\n/.exec(output)!;
  expect((await fetch(`${url}/api/traces/${traceId}`)).status).toBe(200);
});

it("refuses a file that another viewer uses, with the remedy", async () => {
  const folder = mkdtempSync(join(tmpdir(), "viewer-"));
  const args = ["--port", "0", "--db", join(folder, "spans.db")];
  await start(...args);
  const second = promisify(execFile)(process.execPath, [...typescript, CLI, ...args]);
  const failed = await second.catch((error: unknown) => error);
  rmSync(folder, { recursive: true });
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^Cannot keep spans in .*: another viewer uses it; give each its own file with --db$/m,
    ),
  });
});

it.each([
  [["--port", "x"], `Cannot start: '--port' must be a whole number of 0 or more; received "x"`],
  [["--max-spans", "0"], "Cannot start: '--max-spans' must be a whole number of 1 or more"],
  [["--from", "tempo:3200"], "Cannot start the viewer: 'from' must be an http or https URL"],
  [["--from", "http://x", "--from-header", "y"], `Cannot start: '--from-header' must be "name: value"`],
  [["--port", "0", CLI], "cli.ts: Cannot read traces: "],
  [["--prot", "1"], "Unknown option '--prot'"],
])("rejects the arguments %j", async (args, message) => {
  const run = promisify(execFile)(process.execPath, [...typescript, CLI, ...args]);
  const failed = await run.catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
});
