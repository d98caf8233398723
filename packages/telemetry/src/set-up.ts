import { existsSync, readFileSync } from "node:fs";

import { propagation, type ProxyTracerProvider, type TextMapPropagator, trace } from "@opentelemetry/api";
import { TraceContextPropagator } from "@throughline/context";

import { logFailures } from "./failure-log.ts";
import type { TelemetrySettings } from "./options.ts";
import { ProcessingTracerProvider, type SpanProcessor } from "./processing-tracer.ts";
import { addPropagators, isSetUp } from "./registered.ts";
import { loadSdk, type Resource, type Sdk } from "./sdk.ts";

/** Sets up the SDK, and what we add to it. */
export function setUp(settings: TelemetrySettings): void {
  const { environment, sdk, propagators, spanProcessors } = settings;
  const file = process.env["OTEL_CONFIG_FILE"];
  if (file) setUpFromFile(file, sdk);
  else withEnvironment(withLogger(environment), () => setUpFromEnvironment(settings));
  if (isSetUp("propagation")) addPropagators([...strict(), ...propagators]);
  if (!isSetUp("trace")) return;
  const proxy = trace.getTracerProvider() as ProxyTracerProvider;
  proxy.setDelegate(new ProcessingTracerProvider(proxy.getDelegate(), spanProcessors));
}

/** OpenTelemetry's own propagator takes in what W3C has senders and receivers drop: ours reads and writes the same headers after it, if it is there. */
function strict(): readonly TextMapPropagator[] {
  return propagation.fields().includes("traceparent") ? [new TraceContextPropagator()] : [];
}

/** Sets the logger of OpenTelemetry's own failures. One that was set before stays. */
function withLogger(environment: TelemetrySettings["environment"]): Readonly<Record<string, string | undefined>> {
  const { OTEL_LOG_LEVEL = "", ...others } = environment;
  if (isSetUp("diag")) return others;
  return logFailures(OTEL_LOG_LEVEL) ? { ...others, OTEL_LOG_LEVEL: undefined } : environment;
}

function setUpFromEnvironment({ sdk, attributes, spanProcessors }: TelemetrySettings): void {
  const { OTEL_TRACES_SAMPLER, OTEL_NODE_RESOURCE_DETECTORS, OTEL_TRACES_EXPORTER } = process.env;
  const { node, resources } = loadSdk();
  new node.NodeSDK({
    ...sdk,
    resource: resourceOf(attributes, resources),
    ...(OTEL_TRACES_SAMPLER ? { sampler: undefined } : undefined),
    ...(OTEL_NODE_RESOURCE_DETECTORS ? { resourceDetectors: undefined } : undefined),
    // It would warn of it, though this is what was asked for.
    ...(OTEL_TRACES_EXPORTER === "none" ? { spanProcessors: unexported(spanProcessors) } : undefined),
  } as ConstructorParameters<typeof node.NodeSDK>[0]).start();
}

/** Without a processor the SDK makes no spans. Those of the author need them, though they are not exported. */
function unexported([ours, ...others]: readonly SpanProcessor[]): SpanProcessor[] {
  return ours === undefined || others.length === 0 ? [] : [ours];
}

/**
 * A resource that the author's attributes are part of, over those of detectors, and the operator's over both. The SDK merges what it has detected into
 * the resource that it is given, where the detected attributes would count more.
 */
function resourceOf(attributes: TelemetrySettings["attributes"], resources: Sdk["resources"]): Resource {
  const authors = resources.resourceFromAttributes(attributes);
  const operators = resources.detectResources({ detectors: [resources.envDetector] });
  const base = resources.defaultResource();
  return Object.create(base, {
    merge: { value: (detected: Resource | null) => base.merge(detected).merge(authors).merge(operators) },
  }) as Resource;
}

function setUpFromFile(file: string, { instrumentations = [] }: TelemetrySettings["sdk"]): void {
  const refusal = `Cannot start telemetry: OTEL_CONFIG_FILE must name a file of OpenTelemetry's declarative configuration; received "${file}"`;
  const { node } = loadSdk();
  if (!("startNodeSdk" in node)) throw new Error(`${refusal}: files are read from sdk-node 0.301 on`);
  const start = node.startNodeSdk as (options: object) => object;
  start({ instrumentations: instrumentations.flat() });
  // It goes on without what it cannot read, and only logs that.
  if (!isSetUp("context") && !isDisabledIn(file)) throw new Error(`${refusal}: what is wrong with it stands above`);
}

function isDisabledIn(file: string): boolean {
  return existsSync(file) && /^disabled:\s*true\b/m.test(readFileSync(file, "utf8"));
}

/** The SDK and its exporters read their settings from the environment while they are made. */
function withEnvironment(environment: Readonly<Record<string, string | undefined>>, work: () => void): void {
  const before = Object.fromEntries(Object.keys(environment).map((name) => [name, process.env[name]]));
  try {
    setVariables(environment);
    work();
  } finally {
    setVariables(before);
  }
}

function setVariables(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
