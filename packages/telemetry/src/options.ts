import type { TextMapPropagator } from "@opentelemetry/api";
import type { NodeSDKConfiguration } from "@opentelemetry/sdk-node";
import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

import { BaggageSpanProcessor } from "./baggage-span-processor.ts";
import { DeadlineSpanProcessor } from "./deadline-span-processor.ts";
import type { SpanProcessor } from "./processing-tracer.ts";

export type Exporter = "otlp" | "console" | "none";

export interface TelemetryOptions {
  /** Name of this service. @default OTEL_SERVICE_NAME */
  serviceName?: string;
  /** Where traces, metrics and logs go. @default "otlp" */
  exporter?: Exporter;
  /** Where metrics go, if elsewhere: `prometheus` serves them on port 9464. @default `exporter` */
  metrics?: Exporter | "prometheus";
  /** How OTLP is sent. @default "http/protobuf" */
  protocol?: "http/protobuf" | "http/json" | "grpc";
  /** Base address of the collector, such as `http://localhost:4318`. @default the exporter's */
  endpoint?: string;
  /** Attributes of this process, over those of the detectors; those of OTEL_RESOURCE_ATTRIBUTES count more. */
  resourceAttributes?: Readonly<Record<string, string>>;
  /** @default OTEL_NODE_RESOURCE_DETECTORS, else all of OpenTelemetry's */
  resourceDetectors?: NonNullable<NodeSDKConfiguration["resourceDetectors"]>;
  /** Which traces are recorded. @default OTEL_TRACES_SAMPLER, else all whose callers recorded theirs */
  sampler?: NonNullable<NodeSDKConfiguration["sampler"]>;
  /** Processors besides the one that OTEL_TRACES_EXPORTER makes, which are given the same spans. @default [] */
  spanProcessors?: readonly SpanProcessor[];
  /**
   * Entries of OpenTelemetry's baggage that are copied onto spans when they start, as attributes of the same name: an allow-list, since baggage comes
   * from callers. An attribute that a span was started with stays. @default []
   */
  baggageAttributes?: readonly string[];
  /** How instruments are aggregated: their buckets, attributes, names. @default OpenTelemetry's */
  views?: NonNullable<NodeSDKConfiguration["views"]>;
  /** Instrumentations to switch on. None is needed for what this library does. @default [] */
  instrumentations?: NonNullable<NodeSDKConfiguration["instrumentations"]>;
  /** Propagators besides those of OTEL_PROPAGATORS. @default [] */
  propagators?: readonly TextMapPropagator[];
  /** How long `shutdown` waits for the last export; what it waits for before that is not counted. No export takes longer,
   * or a second if that is more. @default "2s": a collector that refuses connections is tried twice, and given up after a second */
  shutdownTimeout?: Duration;
}

/** What the options come to. */
export interface TelemetrySettings {
  /** Environment variables while the SDK is made. What the operator has set stays. */
  readonly environment: Readonly<Record<string, string>>;
  /** The author's attributes of the resource, the name of the service among them. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly sdk: Pick<TelemetryOptions, "instrumentations" | "resourceDetectors" | "sampler" | "views">;
  /** Ours and the author's, besides those of the SDK. */
  readonly spanProcessors: readonly SpanProcessor[];
  readonly propagators: readonly TextMapPropagator[];
  readonly shutdownTimeout: number;
}

const ACTION = "start telemetry";

const LONGEST_TIMEOUT = 60_000;

/** It holds for every export, not only the last: a service that ends at once must not lose what it sends while it runs. */
const LEAST_EXPORT_TIMEOUT = 1_000;

/** OpenTelemetry's own. */
const DEFAULT_EXPORT_TIMEOUT = 10_000;

/** @throws TypeError, RangeError if an option is wrong */
export function telemetrySettings(options: TelemetryOptions): TelemetrySettings {
  const { serviceName, exporter, metrics = exporter, protocol, endpoint, ...rest } = options;
  const { resourceAttributes = {}, resourceDetectors, sampler, instrumentations, propagators = [], ...more } = rest;
  const { spanProcessors = [], baggageAttributes = [], views, shutdownTimeout = "2s", ...others } = more;
  refuseUnknown(others, ACTION);
  if (serviceName !== undefined && (typeof serviceName !== "string" || serviceName === "")) {
    throw wrong("serviceName", "a string that is not empty", serviceName);
  }
  oneOf("exporter", exporter, ["otlp", "console", "none"], ACTION);
  oneOf("metrics", metrics, ["otlp", "console", "prometheus", "none"], ACTION);
  oneOf("protocol", protocol, ["http/protobuf", "http/json", "grpc"], ACTION);
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    throw wrong("endpoint", "an http or https URL", endpoint);
  }
  if (sampler !== undefined && typeof sampler?.shouldSample !== "function") {
    throw wrong("sampler", "a sampler of OpenTelemetry", sampler);
  }
  for (const each of propagators) {
    if (typeof each?.inject !== "function") throw wrong("propagators", "a list of propagators", each);
  }
  for (const [name, value] of Object.entries(resourceAttributes)) {
    if (typeof value !== "string") throw unlike(`resourceAttributes.${name}`, "a string", value);
  }
  listOf("resourceDetectors", resourceDetectors, "resource detectors", (each) => typeof each.detect === "function");
  listOf("spanProcessors", spanProcessors, "span processors", isSpanProcessor);
  listOf("baggageAttributes", baggageAttributes, "names of baggage entries", (each) => typeof each === "string");
  listOf("views", views, "views of metrics", (each) => typeof each === "object");
  const timeout = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
  if (timeout > LONGEST_TIMEOUT) {
    throw new RangeError(
      `Cannot ${ACTION}: 'shutdownTimeout' must be a minute at most; received ${describeValue(shutdownTimeout)}`,
    );
  }
  return {
    environment: withOperators({
      OTEL_TRACES_EXPORTER: exporter,
      OTEL_METRICS_EXPORTER: metrics,
      OTEL_LOGS_EXPORTER: exporter,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      // An export that is under way keeps the process alive: none may last longer than shutdown does.
      OTEL_EXPORTER_OTLP_TIMEOUT: String(Math.max(LEAST_EXPORT_TIMEOUT, Math.min(timeout, DEFAULT_EXPORT_TIMEOUT))),
      // Spans that are dropped, and exports that fail, are to be seen and counted.
      OTEL_LOG_LEVEL: "warn",
      OTEL_NODE_EXPERIMENTAL_SDK_METRICS: "true",
    }),
    attributes: given({ ...resourceAttributes, "service.name": serviceName ?? resourceAttributes["service.name"] }),
    sdk: given({ resourceDetectors, sampler, views, instrumentations }),
    spanProcessors: [
      new DeadlineSpanProcessor(),
      ...(baggageAttributes.length === 0 ? [] : [new BaggageSpanProcessor(baggageAttributes)]),
      ...spanProcessors,
    ],
    propagators,
    shutdownTimeout: timeout,
  };
}

function isSpanProcessor(value: SpanProcessor): boolean {
  return (["onStart", "onEnd", "forceFlush", "shutdown"] as const).every((each) => typeof value[each] === "function");
}

/** @throws TypeError if the list is given and is none, or if an element is not what it must be */
function listOf<T>(name: string, list: readonly T[] | undefined, wanted: string, isOne: (element: T) => boolean): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) throw unlike(name, `a list of ${wanted}`, list);
  for (const each of list as readonly (T | null | undefined)[]) {
    if (each === undefined || each === null || !isOne(each)) throw unlike(name, `a list of ${wanted}`, each);
  }
}

function unlike(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${ACTION}: '${name}' must be ${wanted}; received ${describeValue(value)}`);
}

function wrong(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${ACTION}: '${name}' must be ${wanted}; received ${describeValue(value)}`);
}

function withOperators(variables: Record<string, string | undefined>): Record<string, string> {
  const known = Object.entries(variables).map(([name, value]) => [name, process.env[name] || value]);
  return given(Object.fromEntries(known) as Record<string, string | undefined>);
}

/** What there is of an object. */
function given<T extends object>(values: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
