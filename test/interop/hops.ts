import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, get, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { createKey, current, traceId } from "@throughline/context";
import { deadlineDetails } from "@throughline/context/internal";
import { createFetch } from "@throughline/fetch";
import {
  criticality,
  outcomeOf,
  propagateValue,
  requestContext,
  type ServerOptions,
  textCodec,
} from "@throughline/http";

import { addCounts, check, skip } from "./checks.ts";

/** An implementation of the specification in another language. */
interface Language {
  readonly name: string;
  /** The package that this machine lacks. */
  readonly missing?: string;
  /** Runs a service. */
  readonly hop: readonly string[];
  /** Runs the vectors of the folder that follows. */
  readonly vectors: readonly string[];
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** How long a step may take before the test fails, in milliseconds. */
const STEP_WITHIN = 10_000;

/** How much a service subtracts from the deadline that it sends, so that the clock of the next one fires first. */
const MARGIN = 50;

/** How late the last service may learn that the first client has left, in milliseconds. */
const CANCEL_WITHIN = 250;

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "tenant", codec: textCodec, maxBytes: 64 });

/** Tests implementations of the specification in Go and Python: the vectors, and requests through all of them. */
export async function testHops(): Promise<void> {
  const built = mkdtempSync(join(tmpdir(), "hops-"));
  try {
    const languages = [go(built), python()];
    for (const { name, missing } of languages) if (missing !== undefined) skip(`the specification in ${name}`, missing);
    const present = languages.filter(({ missing }) => missing === undefined);
    for (const language of present) runVectors(language);
    if (present.length < languages.length) return;
    for (const order of [present, present.toReversed()]) await testChain(order);
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
}

function go(built: string): Language {
  const binary = join(built, "hop");
  const language = { name: "Go", hop: [binary, "serve"], vectors: [binary, "vectors"] };
  const env = { ...process.env, GO111MODULE: "off", GOCACHE: join(built, "cache") };
  const args = ["build", "-o", binary, ...globSync(here("hops/go/*.go"))];
  const { status, error } = spawnSync("go", args, { env, stdio: "inherit" });
  if (error !== undefined) return { ...language, missing: "Debian's golang-go" };
  if (status !== 0) throw new Error(`Cannot build the services in Go: go ended with ${status}`);
  return language;
}

function python(): Language {
  const command = ["python3", "-B"];
  const language = {
    name: "Python",
    hop: [...command, here("hops/python/hop.py")],
    vectors: [...command, here("hops/python/vectors.py")],
  };
  const code = "import sys; sys.exit(sys.version_info < (3, 9))";
  return spawnSync("python3", ["-c", code]).status === 0 ? language : { ...language, missing: "Python 3.9 or later" };
}

function runVectors({ name, vectors: [file, ...args] }: Language): void {
  const { stdout } = spawnSync(file!, [...args, here("../vectors")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: STEP_WITHIN,
  });
  // A runner that ends without its counts has failed.
  const counts = stdout === "" ? { passed: 0, failed: 1 } : (JSON.parse(stdout) as { passed: number; failed: number });
  addCounts(counts);
  console.log(`\nVectors in ${name}: ${counts.passed} passed, ${counts.failed} failed`);
}

/** A running service. */
interface Service extends AsyncDisposable {
  readonly url: string;
}

/** Starts a service in another language, which calls the service `next`. */
async function startHop({ hop: [file, ...args] }: Language, next: string, maxTimeout?: number): Promise<Service> {
  const limits = [MARGIN, ...(maxTimeout === undefined ? [] : [maxTimeout])].map(String);
  const child = spawn(file!, [...args, next, ...limits], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const signal = AbortSignal.timeout(STEP_WITHIN);
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data", { signal })) as [string];
  const { port } = JSON.parse(line) as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}

async function startServer(listener: RequestListener): Promise<Service> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** What a service reports of the request that it received, and of the response of the next service. */
interface Report {
  readonly service: string;
  readonly budgetMs: number | null;
  readonly traceId: string;
  readonly parent: string | null;
  readonly criticality: string;
  readonly tenant: string | null;
  readonly next?: { readonly status: number; readonly outcome: string | null; readonly body: Report & Problem };
}

interface Problem {
  readonly type?: string;
  readonly setBy?: string;
}

const fetch = createFetch({ origins: ["http://127.0.0.1:*"], margin: MARGIN });

const SERVER: ServerOptions = { trust: { addresses: ["127.0.0.1"] } };

/** Reports the request of the current context. */
function report(service: string, req: { headers: NodeJS.Dict<string | string[]> }): Report {
  return {
    service,
    budgetMs: deadlineDetails(current())?.budget ?? null,
    traceId: traceId()!,
    parent: String(req.headers["traceparent"]).split("-")[2] ?? null,
    criticality: criticality(),
    tenant: current().value(tenantKey) ?? null,
  };
}

function answer(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** The first service, which calls the next one with Throughline's client. */
function firstService(next: string): RequestListener {
  return requestContext(async (req, res) => {
    const response = await fetch(next + req.url!);
    const reported = outcomeOf(response);
    const outcome = reported === undefined ? null : `${reported.outcome};started=?${reported.started ? 1 : 0}`;
    const called = { status: response.status, outcome, body: (await response.json()) as Report & Problem };
    answer(res, response.ok ? 200 : 502, { ...report("first", req), next: called });
  }, SERVER);
}

/** The last service. What it does depends on the path. */
class LastService {
  /** The requests that have begun. */
  started = 0;
  /** Why the context of the last request ended. */
  ended: unknown;

  readonly listener: RequestListener = (req, res) => {
    const wait = requestContext(() => {
      const ctx = current();
      this.started += 1;
      ctx.signal.addEventListener("abort", () => (this.ended = ctx.cause() ?? ctx.err()));
    }, SERVER);
    const listeners: Record<string, RequestListener> = {
      "/answer": requestContext(() => answer(res, 200, report("last", req)), SERVER),
      "/wait": wait,
      "/limited": requestContext(() => {}, { ...SERVER, maxTimeout: 150 }),
      // Knows nothing of deadlines.
      "/deaf": () => void delay(2000, undefined, { ref: false }).then(() => answer(res, 200, {})),
      // As a proxy answers whose own timeout has passed.
      "/proxy": () => answer(res, 504, {}),
    };
    listeners[req.url!]!(req, res);
  };
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const HEADERS = {
  traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
  "throughline-criticality": "sheddable",
  baggage: "tenant=caf%C3%A9",
};

/** The response of the first service, as a client without Throughline receives it. */
async function request(url: string, headers: Record<string, string>): Promise<{ status: number; body: Report }> {
  const response = await globalThis.fetch(url, { headers, signal: AbortSignal.timeout(STEP_WITHIN) });
  return { status: response.status, body: (await response.json()) as Report };
}

/** Sends header lines. Returns the status of the response, and its outcome. */
async function send(url: string, lines: readonly string[]): Promise<string> {
  const headers = ["host", new URL(url).host, ...lines];
  const sent = get(`${url}/answer`, { agent: false, headers, signal: AbortSignal.timeout(STEP_WITHIN) });
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.resume();
  return `${response.statusCode}, ${String(response.headers["throughline-outcome"])}`;
}

/** The reports of all services, the first one first. */
function reportsOf(report: Report | undefined): (Report & Problem)[] {
  return report === undefined ? [] : [report, ...reportsOf(report.next?.body)];
}

/** The service whose clock fired: the one whose response says so. Empty if none does. */
function expiredService(services: readonly string[], first: Report): string {
  const reports = reportsOf(first);
  const index = reports.findIndex(({ next }) => next?.outcome?.startsWith("deadline-exceeded") === true);
  return services[index + 1] && index >= 0 ? `${services[index + 1]}, ${reports[index]!.next!.body.setBy}` : "";
}

/** Sends requests through a service of ours, those of the languages in this order, and another one of ours. */
async function testChain(order: readonly Language[]): Promise<void> {
  const services = ["first", ...order.map(({ name }) => name), "last"];
  console.log(`\nThroughline -> ${order.map(({ name }) => name).join(" -> ")} -> Throughline`);
  const last = new LastService();
  await using lastServer = await startServer(last.listener);
  await using second = await startHop(order[1]!, lastServer.url);
  await using first = await startHop(order[0]!, second.url);
  await using entry = await startServer(firstService(first.url));
  await using limited = await startHop(order[1]!, lastServer.url, 150);
  await using beforeLimited = await startHop(order[0]!, limited.url);
  await using limitedEntry = await startServer(firstService(beforeLimited.url));

  const { body } = await request(`${entry.url}/answer`, { ...HEADERS, "grpc-timeout": "2S" });
  const reports = reportsOf(body);
  const budgets = reports.map(({ budgetMs }) => budgetMs ?? Infinity);
  const steps = budgets.slice(1).map((budget, index) => budgets[index]! - budget);
  print("time left", budgets.join(" -> "), budgets.length === 4 && budgets[0] === 2000 && steps.every(isStep));
  const traces = new Set(reports.map((each) => each.traceId));
  print("trace", [...traces].join(", "), traces.size === 1 && traces.has(TRACE));
  const parents = new Set(reports.map(({ parent }) => parent));
  print("parent ids", `${parents.size} different`, parents.size === 4 && !parents.has(null));
  const levels = new Set(reports.map((each) => each.criticality));
  print("criticality", [...levels].join(", "), levels.size === 1 && levels.has("sheddable"));
  const tenants = new Set(reports.map(({ tenant }) => tenant));
  print("propagated value", [...tenants].join(", "), tenants.size === 1 && tenants.has("café"));

  for (const [what, url, headers, wanted] of [
    ["the caller's deadline passes", `${entry.url}/wait`, { "grpc-timeout": "600m" }, "last, grpc-timeout header"],
    ["the limit of the last service passes", `${entry.url}/limited`, { "grpc-timeout": "2S" }, "last, maxTimeout"],
    [
      `the limit of ${order[1]!.name} passes`,
      `${limitedEntry.url}/deaf`,
      { "grpc-timeout": "2S" },
      `${order[1]!.name}, maxTimeout`,
    ],
    ["a proxy answers 504", `${entry.url}/proxy`, { "grpc-timeout": "2S" }, ""],
  ] as const) {
    const late = await request(url, headers);
    const whose = expiredService(services, late.body);
    print(`${what}: whose clock fired`, whose === "" ? "not said" : whose, late.status === 502 && whose === wanted);
  }

  for (const [name, { url }] of [
    [order[0]!.name, first],
    [order[1]!.name, second],
  ] as const) {
    const expired = await send(url, ["grpc-timeout", "0m"]);
    print(`${name}: expired on arrival`, expired, expired === "504, deadline-exceeded;started=?0");
    const malformed = await send(url, ["grpc-timeout", "soon"]);
    print(`${name}: malformed`, malformed, malformed === "400, undefined");
    const repeated = await send(url, ["grpc-timeout", "2S", "grpc-timeout", "2S"]);
    print(`${name}: sent twice`, repeated, repeated === "400, undefined");
  }

  const begun = last.started;
  const tooLate = await request(`${first.url}/wait`, { "grpc-timeout": `${MARGIN}m` });
  const refused = (tooLate.body as Problem).type ?? "";
  print("no time for a call", refused, tooLate.status === 504 && last.started === begun);

  const left = new AbortController();
  const abandoned = globalThis.fetch(`${entry.url}/wait`, { signal: left.signal }).catch(() => {});
  last.ended = undefined;
  await until(() => last.started > begun);
  const leftAt = performance.now();
  left.abort();
  await Promise.all([abandoned, until(() => last.ended !== undefined)]);
  const lag = performance.now() - leftAt;
  const cause = (last.ended as Error | undefined)?.name ?? "not canceled";
  const isCanceled = cause === "ClientDisconnected" && lag <= CANCEL_WITHIN;
  print("the client leaves: the last service", `${cause} after ${lag.toFixed(1)} ms`, isCanceled);
}

/** Whether a service received as much less as the margin and a plausible time on the way. */
function isStep(ms: number): boolean {
  return ms >= MARGIN && ms < MARGIN + 200;
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + STEP_WITHIN;
  while (!holds() && performance.now() < end) await delay(5);
}

function print(what: string, seen: string, holds: boolean): void {
  console.log(`- ${what}: ${seen}${check(holds)}`);
}
