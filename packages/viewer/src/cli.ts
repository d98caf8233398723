import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import type { OpenedFile } from "./api.ts";
import { addFile } from "./server/api-server.ts";
import { startViewer, type Viewer } from "./server/viewer.ts";

const HELP = `Usage: npx @throughline/viewer [options] [file ...]

Receives traces by OTLP over HTTP and shows them with their deadlines. Files are shown too: OTLP in JSON or protobuf,
and the JSON of Tempo, Jaeger and Zipkin.

Options:
  --port <port>         port to listen on; 0 for any free port             (default: 4318)
  --host <address>      address to listen on                               (default: 127.0.0.1)
  --allow-host <name>   accepted Host header besides loopback; repeatable  (default: none)
  --db <file>           SQLite file that keeps the traces                  (default: memory only)
  --from <url>          a Tempo or a Jaeger whose traces are shown too     (default: none)
  --from-header <h>     a header for it, as "name: value"; repeatable      (default: none)
  --max-spans <count>   number of spans to keep                            (default: 100000)
  --max-mib <count>     memory for spans in MiB, as estimated              (default: 256)
  --help                prints this text

Send traces to it:
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 node app.js`;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  "allow-host": { type: "string", multiple: true },
  db: { type: "string" },
  from: { type: "string" },
  "from-header": { type: "string", multiple: true },
  "max-spans": { type: "string" },
  "max-mib": { type: "string" },
  help: { type: "boolean" },
} as const;

function count(name: string, value: string | undefined, min: number): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value) || Number(value) < min) {
    throw new Error(`Cannot start: '--${name}' must be a whole number of ${min} or more; received "${value}"`);
  }
  return Number(value);
}

function headersOf(lines: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([\w-]+):\s*(.+)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) {
        throw new Error(`Cannot start: '--from-header' must be "name: value"; received "${line.split(":")[0]}"`);
      }
      return [name, value];
    }),
  );
}

/** Adds the traces of a file to the viewer. */
function open(path: string, { store, url }: Viewer): void {
  let opened: OpenedFile;
  try {
    opened = addFile(readFileSync(path), store);
  } catch (error) {
    throw new Error(`Cannot open ${path}: ${(error as Error).message}`, { cause: error });
  }
  const { traceIds, spans, rejected, reason } = opened;
  console.log(`${path}: ${spans} spans, ${url}/#/trace/${traceIds[0]}`);
  if (rejected > 0) console.error(`${path}: ${rejected} spans are not shown: ${reason}`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) return console.log(HELP);
  const mib = count("max-mib", values["max-mib"], 1);
  const given = {
    port: count("port", values.port, 0),
    host: values.host,
    allowHosts: values["allow-host"],
    db: values.db,
    from: values.from === undefined ? undefined : { url: values.from, headers: headersOf(values["from-header"]) },
    maxSpans: count("max-spans", values["max-spans"], 1),
    maxBytes: mib === undefined ? undefined : mib * 1024 * 1024,
  };
  const viewer = await startViewer(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
  try {
    for (const path of positionals) open(path, viewer);
  } catch (error) {
    await viewer.close();
    throw error;
  }
  console.log(`Viewer: ${viewer.url}\nSend traces to it: OTEL_EXPORTER_OTLP_ENDPOINT=${viewer.url}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void viewer.close());
}

try {
  await main();
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  const remedy = code === "EADDRINUSE" ? "; choose another port with --port, or 0 for any free port" : "";
  console.error(`${message}${remedy}`);
  process.exitCode = 1;
}
