import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type * as api from "@opentelemetry/api";
import { propagation, type ProxyTracerProvider, type TextMapPropagator, trace } from "@opentelemetry/api";
import { TraceContextPropagator } from "@throughline/context";

import { logFailures } from "./failure-log.ts";
import { loadSdk, type Resource, type Sdk } from "./load-sdk.ts";
import type { TelemetrySettings } from "./options.ts";
import { isRegistered } from "./otel-globals.ts";
import { ProcessingTracerProvider, type SpanProcessor } from "./processing-tracer.ts";
import { addPropagators } from "./propagators.ts";

/** Starts the SDK, and adds the propagators and span processors of this package and of the options. */
export function startSdk(settings: TelemetrySettings): void {
  const { environment, sdk, propagators, spanProcessors } = settings;
  const proxies = proxiesOfBothBuilds();
  const file = process.env["OTEL_CONFIG_FILE"];
  if (file) startFromFile(file, sdk);
  else withEnvironment(setLogger(environment), () => startFromEnvironment(settings));
  if (isRegistered("propagation")) addPropagators([...strictTraceContext(), ...propagators]);
  if (!isRegistered("trace")) return;
  const registered = trace.getTracerProvider() as ProxyTracerProvider;
  const provider = new ProcessingTracerProvider(registered.getDelegate(), spanProcessors);
  for (const proxy of [registered, ...proxies]) proxy.setDelegate(provider);
}

/**
 * The API has a build of ES modules and one of CommonJS, which Node loads as two modules. Tracers that were created
 * before this point, by `trace.getTracer` in the first lines of a module, belong to the proxy of their build. The SDK
 * only knows the proxy of its own.
 */
function proxiesOfBothBuilds(): ProxyTracerProvider[] {
  const { trace: ofCommonJs } = createRequire(import.meta.url)("@opentelemetry/api") as typeof api;
  return [trace, ofCommonJs].map((each) => each.getTracerProvider() as ProxyTracerProvider);
}

/**
 * OpenTelemetry's propagator accepts values that W3C Trace Context requires to be dropped. If it is in use, ours reads
 * and writes the same headers after it.
 */
function strictTraceContext(): readonly TextMapPropagator[] {
  return propagation.fields().includes("traceparent") ? [new TraceContextPropagator()] : [];
}

/**
 * Sets the logger of OpenTelemetry's own failures, unless the application has set one.
 *
 * @returns the variables for the SDK
 */
function setLogger(environment: TelemetrySettings["environment"]): Readonly<Record<string, string | undefined>> {
  const { OTEL_LOG_LEVEL = "", ...others } = environment;
  if (isRegistered("diag")) return others;
  return logFailures(OTEL_LOG_LEVEL) ? { ...others, OTEL_LOG_LEVEL: undefined } : environment;
}

function startFromEnvironment({ sdk, attributes, spanProcessors }: TelemetrySettings): void {
  const { OTEL_TRACES_SAMPLER, OTEL_NODE_RESOURCE_DETECTORS, OTEL_TRACES_EXPORTER } = process.env;
  const { node, resources } = loadSdk();
  new node.NodeSDK({
    ...sdk,
    resource: resourceOf(attributes, resources),
    ...(OTEL_TRACES_SAMPLER ? { sampler: undefined } : undefined),
    ...(OTEL_NODE_RESOURCE_DETECTORS ? { resourceDetectors: undefined } : undefined),
    // Else the SDK logs a warning for the value `none`.
    ...(OTEL_TRACES_EXPORTER === "none" ? { spanProcessors: withoutExport(spanProcessors) } : undefined),
  } as ConstructorParameters<typeof node.NodeSDK>[0]).start();
}

/**
 * The SDK creates no spans without a processor. If the options have processors, one makes it create spans that are not
 * exported.
 */
function withoutExport([ours, ...others]: readonly SpanProcessor[]): SpanProcessor[] {
  return ours === undefined || others.length === 0 ? [] : [ours];
}

/**
 * A resource whose attributes are those of detectors, replaced by the author's (the options), replaced by the
 * operator's (the variables). The SDK merges detected attributes over those of the resource that it is given, so this
 * resource overrides `merge`.
 */
function resourceOf(attributes: TelemetrySettings["attributes"], resources: Sdk["resources"]): Resource {
  const authors = resources.resourceFromAttributes(attributes);
  const operators = resources.detectResources({ detectors: [resources.envDetector] });
  const base = resources.defaultResource();
  return Object.create(base, {
    merge: { value: (detected: Resource | null) => base.merge(detected).merge(authors).merge(operators) },
  }) as Resource;
}

function startFromFile(file: string, { instrumentations = [] }: TelemetrySettings["sdk"]): void {
  const message = `Cannot start telemetry: OTEL_CONFIG_FILE must name a file of OpenTelemetry's declarative configuration; received "${file}"`;
  const { node } = loadSdk();
  if (!("startNodeSdk" in node)) throw new Error(`${message}: @opentelemetry/sdk-node must be 0.301 or later`);
  const start = node.startNodeSdk as (options: object) => object;
  start({ instrumentations: instrumentations.flat() });
  // The SDK does not throw for a file that it cannot use: it only logs.
  if (!isRegistered("context") && !isDisabledIn(file)) throw new Error(`${message}: OpenTelemetry logged the reason`);
}

function isDisabledIn(file: string): boolean {
  return existsSync(file) && /^disabled:\s*true\b/m.test(readFileSync(file, "utf8"));
}

/** Sets variables during a call: the SDK and its exporters read them when they are created. */
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
