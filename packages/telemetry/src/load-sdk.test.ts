import { execFileSync } from "node:child_process";

import { expect, it } from "vitest";

/**
 * Runs a program with `telemetry`, `require` and `loaded()`, which returns the packages loaded so far.
 *
 * @returns the value of its `result`
 */
function runProgram(program: string, env: Record<string, string> = {}): unknown {
  const source = `
    import { createRequire, registerHooks } from "node:module";
    const packages = new Set();
    registerHooks({
      load(url, context, nextLoad) {
        const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
        if (name !== undefined) packages.add(name);
        return nextLoad(url, context);
      },
    });
    const loaded = () => [...packages].filter((each) => /sdk|exporter|grpc/.test(each)).sort();
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const telemetry = await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
    ${program}
    console.log(JSON.stringify(result));
    process.exit();`;
  const args = ["--input-type=module", "--eval", source];
  return JSON.parse(execFileSync(process.execPath, args, { env: { ...process.env, ...env }, encoding: "utf8" }));
}

it("the SDK is not loaded before telemetry is started", () => {
  expect(runProgram("const result = loaded();")).toEqual([]);
});

it("the SDK is loaded with the exporters in use, and no others", () => {
  const started = (options: string): string => `telemetry.startTelemetry(${options}); const result = loaded();`;
  const sdk = ["context-async-hooks", "sdk-logs", "sdk-metrics", "sdk-node", "sdk-trace"];
  const without = runProgram(started(`{ exporter: "none" }`)) as string[];
  expect(without).toEqual(expect.arrayContaining(sdk.slice(1).map((each) => `@opentelemetry/${each}`)));
  expect(without.filter((each) => /grpc|exporter-(?:trace|metrics|logs)|prometheus|zipkin/.test(each))).toEqual([]);

  const env = { OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" };
  const json = runProgram(started(`{ protocol: "http/json" }`), env) as string[];
  expect(json.filter((each) => !without.includes(each))).toEqual(["@opentelemetry/exporter-trace-otlp-http"]);
});

it("packages that were not loaded yet can be loaded by other code", () => {
  const program = `
    telemetry.startTelemetry({ exporter: "none" });
    const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
    const result = [OTLPTraceExporter.name, Object.keys(require("@opentelemetry/exporter-trace-otlp-proto"))];`;
  expect(runProgram(program)).toEqual(["OTLPTraceExporter", ["OTLPTraceExporter"]]);
});
