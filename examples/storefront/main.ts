import { setTimeout as delay } from "node:timers/promises";

import { hasNats, startNats } from "@throughline/test/support/nats.ts";
import { type DatabaseServer, postgresPrograms, startPostgres } from "@throughline/test/support/postgres.ts";
import { startViewer, type ViewedSpan, type Viewer } from "@throughline/viewer";

import { sendRequest } from "./client.ts";
import { startStorefront } from "./processes.ts";
import { printCommands, report } from "./report.ts";
import { type Scenario, SCENARIOS } from "./scenarios.ts";
import { issueToken } from "./token.ts";

/** Milliseconds between two exports of spans: short, so that traces arrive soon after their requests. */
const EXPORT_DELAY = 100;

const isOnce = process.argv.includes("--once");
const port = Number(process.env["PORT"] ?? (isOnce ? 0 : 8080));
const collector = process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
const interrupted = new Promise<void>((resolve) => {
  // `on`, not `once`: the terminal and npm both send a signal at Ctrl-C, and the second must not interrupt the drain.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => resolve());
});

/** Returns the telemetry variables of the services: none if the operator has set a collector. */
function telemetry(viewer: string | undefined): Record<string, string> {
  if (viewer === undefined) return {};
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: viewer,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
  };
}

/** Starts the viewer on the port of OTLP, or on a free port if that is in use. */
async function openViewer(): Promise<Viewer> {
  return startViewer(isOnce ? { port: 0 } : {}).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    return startViewer({ port: 0 });
  });
}

/** Returns the spans of a trace when no new ones have arrived for a while. @param goesOnFor as of a scenario */
async function spansOf(traceId: string, { store }: Viewer, goesOnFor = 0): Promise<ViewedSpan[]> {
  let spans: ViewedSpan[] = [];
  await delay(goesOnFor);
  for (let since = Date.now(); Date.now() - since < (spans.length === 0 ? 5_000 : 5 * EXPORT_DELAY);) {
    await delay(EXPORT_DELAY / 2);
    const seen = store.trace(traceId);
    if (seen.length !== spans.length) since = Date.now();
    spans = seen;
  }
  return spans;
}

/** Plays a scenario. Returns whether all its claims hold. */
async function play(number: number, scenario: Scenario, gateway: string, token: string): Promise<boolean> {
  const { traceId, answer } = await sendRequest(gateway, token, scenario);
  const spans = viewer === undefined ? undefined : await spansOf(traceId, viewer, scenario.goesOnFor);
  const claims = [...scenario.claims(answer), ...(spans === undefined ? [] : scenario.traced(spans))];
  report(number, scenario, answer, spans ?? `trace ${traceId} went to ${collector}`, claims);
  if (viewer !== undefined && !isOnce) console.log(`   ${viewer.url}/#/trace/${traceId}`);
  return claims.every(([holds]) => holds);
}

async function playAll(gateway: string, token: string): Promise<void> {
  // Warm up: the first request of each process loads modules.
  await sendRequest(gateway, token, { ...SCENARIOS[0]!, budget: 5_000 });
  let shown = 0;
  for (const [index, scenario] of SCENARIOS.entries()) {
    if (await play(index + 1, scenario, gateway, token)) shown += 1;
  }
  console.log(`\n${shown} of ${SCENARIOS.length} scenarios showed what they claim.`);
  if (isOnce && shown < SCENARIOS.length) process.exitCode = 1;
}

/**
 * Starts a server from a program of this machine; without it, prints what the services do instead. Ctrl-C must not end
 * it: the services need it while they drain.
 */
async function openServer(
  name: string,
  isInstalled: boolean,
  startServer: () => Promise<DatabaseServer>,
  instead: string,
): Promise<DatabaseServer | undefined> {
  if (isInstalled) {
    try {
      return await startServer();
    } catch (error) {
      console.log(`Cannot start ${name}: ${(error as Error).message}`);
    }
  }
  console.log(`${name} is not here: ${instead}.`);
  return undefined;
}

const viewer = collector === undefined ? await openViewer() : undefined;
const database = await openServer(
  "PostgreSQL",
  postgresPrograms() !== undefined,
  () => startPostgres({}, { detached: true }),
  "inventory keeps its stock in SQLite, in memory",
);
const broker = await openServer(
  "NATS",
  hasNats(),
  () => startNats({ detached: true }),
  "the gateway books the orders itself, without a queue",
);
const names = ["gateway", "tokens", "search", "catalog", "inventory", "pricing", "reviews"];
if (broker !== undefined) names.push("warehouse");
console.log(`Starting ${names.length} services: ${names.join(", ")} ...`);
const storefront = await startStorefront(port, {
  ...(database === undefined ? undefined : { DATABASE_URL: database.url }),
  ...(broker === undefined ? undefined : { NATS_URL: broker.url }),
  OTEL_BSP_SCHEDULE_DELAY: `${EXPORT_DELAY}`,
  ...telemetry(viewer?.url),
});
try {
  const token = await issueToken("ada");
  const isPlayed = await Promise.race([
    playAll(storefront.gateway, token).then(() => true),
    interrupted.then(() => false),
  ]);
  if (isPlayed && !isOnce) {
    printCommands(storefront.gateway, token, viewer?.url);
    await interrupted;
    console.log("\nDraining ...");
  }
} finally {
  await storefront.stop();
  await broker?.stop();
  await database?.stop();
  await viewer?.close();
}
