import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";

import { beforeAll, describe, expect, it } from "vitest";

import { typescript } from "../support/typescript.ts";
import type { Line } from "./app.ts";
import { type Setup, setups } from "./setups.ts";

interface Request {
  readonly framework: string;
  readonly path: string;
  readonly timeout: string;
}

/** The recorded data of all requests of one application. */
interface Seen {
  /** The response statuses, by path. */
  readonly statuses: Record<string, number>;
  readonly handled: Record<string, { readonly traceId: string | undefined; readonly remaining: number }>;
  /** The `traceparent` headers that the next service received, by the path of the original request. */
  readonly sent: Record<string, readonly string[]>;
  /** The paths of the server spans that the tool reported. */
  readonly spans: string[];
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** A line of dd-trace's output or of an Elastic agent's report. */
type ToolLine =
  | { readonly traces: readonly (readonly { readonly meta: Readonly<Record<string, string>> }[])[] }
  | {
      readonly transaction: { readonly context: { readonly request: { readonly url: { readonly pathname: string } } } };
    };

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const program = fileURLToPath(new URL("app.ts", import.meta.url));
/** A folder in which this folder's `package.json` was installed. */
const folder = process.env["THROUGHLINE_TOOLS"];

function isInstalled({ tool }: Setup): boolean {
  return tool === undefined || (folder !== undefined && existsSync(join(folder, "node_modules", tool)));
}

const absent = Object.entries(setups).filter(([, setup]) => !isInstalled(setup));
if (absent.length > 0) {
  const names = absent.map(([name]) => name).join("; ");
  console.warn(
    `\n!!! SKIPPED: beside ${names}: not installed. Install test/tools/package.json in a separate folder and set THROUGHLINE_TOOLS to it. !!!\n`,
  );
}

/** Runs the application in its own process, because tools only patch modules that are loaded after them. */
async function runApplication(name: string, requests: readonly Request[]): Promise<Seen> {
  const seen = { statuses: {}, handled: {}, sent: {}, spans: [] } as Omit<Seen, "stderr" | "exitCode">;
  const collector = http.createServer(async (req, res) => {
    if (req.url!.startsWith("/next"))
      seen.sent[req.url!.slice("/next".length)] = req.headersDistinct["traceparent"] ?? [];
    else for (const line of (await bodyOf(req)).split("\n")) seen.spans.push(...spansIn(line));
    res.end("{}");
  });
  await once(collector.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

  const app = spawn(process.execPath, [...typescript, program, name, folder ?? "", origin]);
  const exited = once(app, "close") as Promise<[number | null]>;
  const stderr = text(app.stderr);
  const listening = Promise.withResolvers<Readonly<Record<string, number>>>();
  exited.then(async () => listening.reject(new Error(await stderr)), listening.reject);
  createInterface(app.stdout).on("line", (line) => {
    const printed = parse(line) as Line | undefined;
    if (printed === undefined) return;
    if ("ports" in printed) listening.resolve(printed.ports);
    else if ("handled" in printed) seen.handled[printed.handled] = printed;
    else if ("span" in printed) seen.spans.push(printed.span);
    else seen.spans.push(...spansIn(line));
  });
  try {
    const ports = await listening.promise;
    for (const { path, framework, timeout } of requests) {
      const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, "grpc-timeout": timeout };
      const response = await fetch(`http://127.0.0.1:${ports[framework]}${path}`, { headers });
      await response.text();
      seen.statuses[path] = response.status;
    }
    app.stdin.end();
    const [exitCode] = await exited;
    return { ...seen, stderr: await stderr, exitCode };
  } finally {
    app.kill("SIGKILL");
    collector.close();
    collector.closeAllConnections();
  }
}

function bodyOf(req: IncomingMessage): Promise<string> {
  return text(req.headers["content-encoding"] === "gzip" ? req.pipe(createGunzip()) : req);
}

/** The paths of the server spans in a line of a tool's report. */
function spansIn(line: string): string[] {
  const reported = parse(line) as ToolLine | undefined;
  if (reported === undefined) return [];
  if ("transaction" in reported) return [reported.transaction.context.request.url.pathname];
  if (!("traces" in reported)) return [];
  const servers = reported.traces.flat().filter(({ meta }) => meta["span.kind"] === "server");
  return servers.map(({ meta }) => new URL(meta["http.url"]!).pathname);
}

/** Parses a line of JSON; `undefined` for other lines, which some tools print. */
function parse(line: string): object | undefined {
  try {
    return JSON.parse(line) as object;
  } catch {
    return undefined;
  }
}

for (const [name, setup] of Object.entries(setups)) {
  describe.skipIf(!isInstalled(setup))(`beside ${name}`, () => {
    const requests = ["Express", "Koa"].flatMap((framework): Request[] => [
      { framework, path: `/${framework}/answered`, timeout: "5S" },
      { framework, path: `/${framework}/late`, timeout: "200m" },
      { framework, path: `/${framework}/afterwards`, timeout: "5S" },
    ]);
    const paths = requests.map(({ path }) => path);
    const answered = paths.filter((path) => !path.endsWith("/late"));
    let seen: Seen;
    beforeAll(async () => {
      seen = await runApplication(name, requests);
    }, 60_000);

    it("a request succeeds, and its handler has the caller's trace and deadline", () => {
      for (const path of answered) {
        expect(seen.statuses[path]).toBe(200);
        expect(seen.handled[path]!.traceId).toBe(TRACE);
        expect(seen.handled[path]!.remaining).toBeGreaterThan(1000);
        expect(seen.handled[path]!.remaining).toBeLessThanOrEqual(5000);
      }
    });

    it.runIf(setup.keepsTrace)("the next service receives one traceparent header of the caller's trace", () => {
      for (const path of answered) expect(seen.sent[path]).toEqual([expect.stringMatching(`^00-${TRACE}-`)]);
    });

    it("the tool reports one server span for each request", () => {
      expect(seen.spans.toSorted()).toEqual(setup.reports ? paths.toSorted() : []);
    });

    it("answers 504 at a deadline, changes no span after its end, and keeps the process running", () => {
      expect(paths.map((path) => seen.statuses[path])).toEqual([200, 504, 200, 200, 504, 200]);
      expect(seen.stderr.match(/ended Span/g) ?? []).toHaveLength(0);
      expect(seen.exitCode).toBe(0);
    });
  });
}
