import { parseArgs } from "node:util";

import { diagnose, formatFindings } from "./doctor.ts";

const HELP = `throughline doctor [folder]: checks a project for what breaks deadlines and traces

  --url <url>      also sends requests without time left to a running service
  --proxy <url>    also sends a request to itself through this URL, which a proxy leads to --port
  --port <port>    where to listen for --proxy
  --json           prints the findings as JSON
  --strict         exits with 1 on warnings too
  --help

Exits with 0 if no error was found, with 1 if there are errors, and with 2 if it cannot run.`;

const OPTIONS = {
  url: { type: "string" },
  proxy: { type: "string" },
  port: { type: "string" },
  json: { type: "boolean" },
  strict: { type: "boolean" },
  help: { type: "boolean" },
} as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [command, folder = "."] = positionals;
  if (values.help || command === undefined) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  if (command !== "doctor") throw new Error(`Cannot run: the command must be 'doctor'; received '${command}'`);
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
