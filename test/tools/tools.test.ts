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

/** What was seen of one application, all its requests together. */
interface Seen {
  /** The status of each answer, by the path of its request. */
  readonly statuses: Record<string, number>;
  readonly handled: Record<string, { readonly traceId: string | undefined; readonly remaining: number }>;
  /** The `traceparent` headers that the next service received, by the path of the request that it was called for. */
  readonly sent: Record<string, readonly string[]>;
  /** The paths of the requests that the tool reported a server span of. */
  readonly spans: string[];
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** A line of what dd-trace prints, and of what Elastic's agent sends. */
type ToolLine =
  | { readonly traces: readonly (readonly { readonly meta: Readonly<Record<string, string>> }[])[] }
  | {
      readonly transaction: { readonly context: { readonly request: { readonly url: { readonly pathname: string } } } };
    };

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const program = fileURLToPath(new URL("app.ts", import.meta.url));
/** A folder with a `node_modules` that `package.json` here was installed into. */
const folder = process.env["THROUGHLINE_TOOLS"];

function isInstalled({ tool }: Setup): boolean {
  return tool === undefined || (folder !== undefined && existsSync(join(folder, "node_modules", tool)));
}

const absent = Object.entries(setups).filter(([, setup]) => !isInstalled(setup));
if (absent.length > 0) {
  const names = absent.map(([name]) => name).join("; ");
  console.warn(
    `\n!!! SKIPPED: beside ${names}: not installed. Install test/tools/package.json in a folder of its own, and set THROUGHLINE_TOOLS to it. !!!\n`,
  );
}

/** Runs the application in a process of its own, as tools patch what is loaded after them. */
async function runApplication(name: string, requests: readonly Request[]): Promise<Seen> {
  const seen = { statuses: {}, handled: {}, sent: {}, spans: [] } as Omit<Seen, "stderr" | "exitCode">;
  const around = http.createServer(async (req, res) => {
    if (req.url!.startsWith("/next"))
      seen.sent[req.url!.slice("/next".length)] = req.headersDistinct["traceparent"] ?? [];
    else for (const line of (await bodyOf(req)).split("\n")) seen.spans.push(...spansIn(line));
    res.end("{}");
  });
  await once(around.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${(around.address() as AddressInfo).port}`;

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
    around.close();
    around.closeAllConnections();
  }
}

function bodyOf(req: IncomingMessage): Promise<string> {
  return text(req.headers["content-encoding"] === "gzip" ? req.pipe(createGunzip()) : req);
}

/** The paths of the requests that a line of a tool's reports server spans of. */
function spansIn(line: string): string[] {
  const reported = parse(line) as ToolLine | undefined;
  if (reported === undefined) return [];
  if ("transaction" in reported) return [reported.transaction.context.request.url.pathname];
  if (!("traces" in reported)) return [];
  const servers = reported.traces.flat().filter(({ meta }) => meta["span.kind"] === "server");
  return servers.map(({ meta }) => new URL(meta["http.url"]!).pathname);
}

/** What a line of JSON says; tools print other lines too. */
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

    it("a request is answered, and its handler has the caller's trace and deadline", () => {
      for (const path of answered) {
        expect(seen.statuses[path]).toBe(200);
        expect(seen.handled[path]!.traceId).toBe(TRACE);
        expect(seen.handled[path]!.remaining).toBeGreaterThan(1000);
        expect(seen.handled[path]!.remaining).toBeLessThanOrEqual(5000);
      }
    });

    it.runIf(setup.keepsTrace)("the next service receives one traceparent header, of the caller's trace", () => {
      for (const path of answered) expect(seen.sent[path]).toEqual([expect.stringMatching(`^00-${TRACE}-`)]);
    });

    it("the tool reports one server span of each request", () => {
      expect(seen.spans.toSorted()).toEqual(setup.reports ? paths.toSorted() : []);
    });

    it("a request whose deadline passes is answered 504, no span is changed after its end, and the process lives on", () => {
      expect(paths.map((path) => seen.statuses[path])).toEqual([200, 504, 200, 200, 504, 200]);
      expect(seen.stderr.match(/ended Span/g) ?? []).toHaveLength(0);
      expect(seen.exitCode).toBe(0);
    });
  });
}
