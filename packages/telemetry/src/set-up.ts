import { existsSync, readFileSync } from "node:fs";

import { type ProxyTracerProvider, trace } from "@opentelemetry/api";
import * as sdkNode from "@opentelemetry/sdk-node";

import { DeadlineTracerProvider } from "./deadline-tracer.ts";
import type { TelemetrySettings } from "./options.ts";
import { addPropagators, isSetUp } from "./registered.ts";

/** Sets up the SDK, and what we add to it. */
export function setUp({ environment, sdk, propagators }: TelemetrySettings): void {
  const file = process.env["OTEL_CONFIG_FILE"];
  if (file) setUpFromFile(file, sdk);
  else withEnvironment(withoutLogger(environment), () => setUpFromEnvironment(sdk));
  if (isSetUp("propagation")) addPropagators(propagators);
  if (!isSetUp("trace")) return;
  const proxy = trace.getTracerProvider() as ProxyTracerProvider;
  proxy.setDelegate(new DeadlineTracerProvider(proxy.getDelegate()));
}

/** A logger for OpenTelemetry's own troubles that somebody has set before stays. */
function withoutLogger(environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { OTEL_LOG_LEVEL: _, ...others } = environment;
  return isSetUp("diag") ? others : environment;
}

function setUpFromEnvironment(sdk: TelemetrySettings["sdk"]): void {
  const { OTEL_TRACES_SAMPLER, OTEL_NODE_RESOURCE_DETECTORS, OTEL_TRACES_EXPORTER } = process.env;
  new sdkNode.NodeSDK({
    ...sdk,
    ...(OTEL_TRACES_SAMPLER ? { sampler: undefined } : undefined),
    ...(OTEL_NODE_RESOURCE_DETECTORS ? { resourceDetectors: undefined } : undefined),
    // It would warn of it, though this is what was asked for.
    ...(OTEL_TRACES_EXPORTER === "none" ? { spanProcessors: [] } : undefined),
  } as ConstructorParameters<typeof sdkNode.NodeSDK>[0]).start();
}

function setUpFromFile(file: string, { instrumentations = [] }: TelemetrySettings["sdk"]): void {
  const refusal = `Cannot start telemetry: OTEL_CONFIG_FILE must name a file of OpenTelemetry's declarative configuration: current value is "${file}"`;
  if (!("startNodeSdk" in sdkNode)) throw new Error(`${refusal}: files are read from sdk-node 0.301 on`);
  const start = sdkNode.startNodeSdk as (options: object) => object;
  start({ instrumentations: instrumentations.flat() });
  // It goes on without what it cannot read, and only logs that.
  if (!isSetUp("context") && !isDisabledIn(file)) throw new Error(`${refusal}: what is wrong with it stands above`);
}

function isDisabledIn(file: string): boolean {
  return existsSync(file) && /^disabled:\s*true\b/m.test(readFileSync(file, "utf8"));
}

/** The SDK and its exporters read their settings from the environment while they are made. */
function withEnvironment(environment: Readonly<Record<string, string>>, work: () => void): void {
  const before = { ...process.env };
  try {
    Object.assign(process.env, environment);
    work();
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}
