#!/usr/bin/env node
import { parseArgs } from "node:util";

import { startViewer } from "./server/viewer.ts";

const HELP = `throughline-viewer: receives traces by OTLP/HTTP and shows them, with their deadlines

  --port <port>          where to listen; 0 for any that is free     (4318)
  --host <address>       on which address                            (127.0.0.1)
  --allow-host <name>    a name that it may be reached by; several   (loopback's)
  --db <file>            keep traces in this file of SQLite          (in memory only)
  --max-spans <count>    how many spans are kept, oldest leave first (100000)
  --max-mib <count>      how much memory they may take               (256)
  --help

Send it traces: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 node app.js`;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  "allow-host": { type: "string", multiple: true },
  db: { type: "string" },
  "max-spans": { type: "string" },
  "max-mib": { type: "string" },
  help: { type: "boolean" },
} as const;

function count(name: string, value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value) || Number(value) < least) {
    throw new Error(`Cannot start: --${name} must be a whole number, ${least} or more; received "${value}"`);
  }
  return Number(value);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  const mib = count("max-mib", values["max-mib"], 1);
  const given = {
    port: count("port", values.port, 0),
    host: values.host,
    allowHosts: values["allow-host"],
    db: values.db,
    maxSpans: count("max-spans", values["max-spans"], 1),
    maxBytes: mib === undefined ? undefined : mib * 1024 * 1024,
  };
  const viewer = await startViewer(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
  console.log(`Traces are shown at ${viewer.url}; send them there: OTEL_EXPORTER_OTLP_ENDPOINT=${viewer.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void viewer.close());
}

try {
  await main();
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  const remedy = code === "EADDRINUSE" ? ": choose another with --port, or 0 for any that is free" : "";
  console.error(`${message}${remedy}`);
  process.exitCode = 1;
}
