import { parseArgs } from "node:util";

import { diagnose, formatFindings } from "./doctor.ts";

const HELP = `throughline doctor [folder]: checks a project for what breaks deadlines and traces

  --url <url>      also sends requests without time left to a running service
  --proxy <url>    also sends a request to itself through this URL, which a proxy leads to --port
  --port <port>    where to listen for --proxy
  --json           prints the findings as JSON
  --strict         exits with 1 on warnings too

throughline migrate <library> [paths]: rewrites uses of cls-hooked, cls-rtracer or express-http-context

  --dry-run        prints the changes as a diff, and writes nothing
  --partial        also writes if some files cannot be rewritten, and leaves those as they are
  --keys <file>    where the keys of values are declared; request-keys.js in the first folder by default

Exits with 0 on success, with 1 if there are errors, or places that cannot be rewritten, and with 2 if it cannot run.`;

const OPTIONS = {
  url: { type: "string" },
  proxy: { type: "string" },
  port: { type: "string" },
  json: { type: "boolean" },
  strict: { type: "boolean" },
  "dry-run": { type: "boolean" },
  partial: { type: "boolean" },
  keys: { type: "string" },
  help: { type: "boolean" },
} as const;

type Values = ReturnType<typeof parse>["values"];

function parse() {
  return parseArgs({ options: OPTIONS, allowPositionals: true });
}

async function main(): Promise<number> {
  const { values, positionals } = parse();
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  if (command === "doctor") return runDoctor(rest[0] ?? ".", values);
  if (command === "migrate") return runMigrate(rest, values);
  throw new Error(`Cannot run: the command must be 'doctor' or 'migrate'; received '${command}'`);
}

async function runMigrate([library = "", ...paths]: string[], values: Values): Promise<number> {
  // Loaded here, as the doctor needs no parser.
  const { migrate } = await import("./migrate/migrate.ts");
  const { "dry-run": dryRun = false, partial = false, keys } = values;
  const result = migrate(library, paths, { dryRun, partial, ...(keys === undefined ? {} : { keys }) });
  if (dryRun) process.stdout.write(result.diff);
  for (const path of result.written) console.log(`wrote ${path}`);
  if (result.written.length > 0) for (const note of result.notes) console.log(note);
  for (const { where, message } of result.refusals) console.error(`${where}: ${message}`);
  if (!dryRun && result.refusals.length > 0 && result.written.length === 0) {
    console.error("Nothing was written. Change these places by hand, or use --partial.");
  }
  return result.refusals.length > 0 ? 1 : 0;
}

async function runDoctor(folder: string, values: Values): Promise<number> {
  if (values.proxy !== undefined && !/^\d+$/.test(values.port ?? "")) {
    throw new Error(`Cannot run: --port must be a port, as --proxy is set; received '${values.port ?? ""}'`);
  }
  const { url, proxy, port } = values;
  const findings = await diagnose(folder, {
    ...(url === undefined ? {} : { url }),
    ...(proxy === undefined ? {} : { proxy, port: Number(port) }),
  });
  console.log(values.json ? JSON.stringify(findings, null, 2) : formatFindings(findings));
  const fails = ({ severity }: { severity: string }): boolean =>
    severity === "error" || (values.strict === true && severity === "warning");
  return findings.some(fails) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
