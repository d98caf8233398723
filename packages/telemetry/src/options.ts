import type { TextMapPropagator } from "@opentelemetry/api";
import type { NodeSDKConfiguration } from "@opentelemetry/sdk-node";
import { type Duration } from "@throughline/context";
import { describeValue, milliseconds, oneOf, refuseUnknown } from "@throughline/context/internal";

import { BaggageSpanProcessor } from "./baggage-span-processor.ts";
import { DeadlineSpanProcessor } from "./deadline-span-processor.ts";
import type { SpanProcessor } from "./processing-tracer.ts";

export type Exporter = "otlp" | "console" | "none";

export interface TelemetryOptions {
  /** The name of this service. @default OTEL_SERVICE_NAME */
  serviceName?: string;
  /** The exporter of traces, metrics and logs. @default "otlp" */
  exporter?: Exporter;
  /** The exporter of metrics, if it differs. `prometheus` serves them on port 9464. @default `exporter` */
  metrics?: Exporter | "prometheus";
  /** The OTLP protocol. @default "http/protobuf" */
  protocol?: "http/protobuf" | "http/json" | "grpc";
  /** The base URL of the collector. @default that of the exporter, `http://localhost:4318` */
  endpoint?: string;
  /**
   * Resource attributes. They replace those of detectors, and are replaced by those of OTEL_RESOURCE_ATTRIBUTES.
   *
   * @default {}
   */
  resourceAttributes?: Readonly<Record<string, string>>;
  /** Detectors of further resource attributes. @default OTEL_NODE_RESOURCE_DETECTORS, else all of OpenTelemetry */
  resourceDetectors?: NonNullable<NodeSDKConfiguration["resourceDetectors"]>;
  /**
   * Decides which traces are recorded.
   *
   * @default OTEL_TRACES_SAMPLER, else the decision of the caller, and all traces without a caller
   */
  sampler?: NonNullable<NodeSDKConfiguration["sampler"]>;
  /** Span processors in addition to the one that exports. @default [] */
  spanProcessors?: readonly SpanProcessor[];
  /**
   * Names of OpenTelemetry's baggage entries that are copied onto spans when they start, as attributes of the same
   * name. It is an allow-list, since baggage comes from callers. Attributes that a span was started with are kept.
   * @default []
   */
  baggageAttributes?: readonly string[];
  /** Views, which set the names, buckets and attributes of metrics. @default those of OpenTelemetry */
  views?: NonNullable<NodeSDKConfiguration["views"]>;
  /** Instrumentations to enable. This library needs none. @default [] */
  instrumentations?: NonNullable<NodeSDKConfiguration["instrumentations"]>;
  /** Propagators in addition to those of OTEL_PROPAGATORS. @default [] */
  propagators?: readonly TextMapPropagator[];
  /**
   * The limit of the last export during `shutdown`, and of `flush`; at most a minute. The wait for the promise that
   * `shutdown` is given does not count. Every other export has the same limit, but at least a second. With the default,
   * a collector that refuses connections is tried twice, and given up after about a second.
   *
   * @default "2s"
   */
  shutdownTimeout?: Duration;
}

/** The checked options. */
export interface TelemetrySettings {
  /** Environment variables for the creation of the SDK. Variables that the operator has set keep their value. */
  readonly environment: Readonly<Record<string, string>>;
  /** The resource attributes of the options, with the name of the service. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly sdk: Pick<TelemetryOptions, "instrumentations" | "resourceDetectors" | "sampler" | "views">;
  /** The processors of this package and of the options, without those of the SDK. */
  readonly spanProcessors: readonly SpanProcessor[];
  readonly propagators: readonly TextMapPropagator[];
  readonly shutdownTimeout: number;
}

const ACTION = "start telemetry";

const MAX_SHUTDOWN_TIMEOUT_MS = 60_000;

/**
 * The export timeout applies to every export, not only to the last one: a short `shutdownTimeout` must not lose exports
 * of a running service.
 */
const MIN_EXPORT_TIMEOUT_MS = 1_000;

/** The default of OpenTelemetry. */
const DEFAULT_EXPORT_TIMEOUT_MS = 10_000;

/** @throws TypeError, RangeError if an option is wrong */
export function telemetrySettings(options: TelemetryOptions): TelemetrySettings {
  const { serviceName, exporter, metrics = exporter, protocol, endpoint, ...rest } = options;
  const { resourceAttributes = {}, resourceDetectors, sampler, instrumentations, propagators = [], ...more } = rest;
  const { spanProcessors = [], baggageAttributes = [], views, shutdownTimeout = "2s", ...others } = more;
  refuseUnknown(others, ACTION);
  if (serviceName !== undefined && (typeof serviceName !== "string" || serviceName === "")) {
    throw invalid("serviceName", "a non-empty string", serviceName);
  }
  oneOf("exporter", exporter, ["otlp", "console", "none"], ACTION);
  oneOf("metrics", metrics, ["otlp", "console", "prometheus", "none"], ACTION);
  oneOf("protocol", protocol, ["http/protobuf", "http/json", "grpc"], ACTION);
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    throw invalid("endpoint", "an http or https URL", endpoint);
  }
  if (sampler !== undefined && typeof sampler?.shouldSample !== "function") {
    throw invalid("sampler", "a sampler of OpenTelemetry", sampler);
  }
  for (const each of propagators) {
    if (typeof each?.inject !== "function") throw invalid("propagators", "a list of propagators", each);
  }
  for (const [name, value] of Object.entries(resourceAttributes)) {
    if (typeof value !== "string") throw invalid(`resourceAttributes.${name}`, "a string", value);
  }
  checkList("resourceDetectors", resourceDetectors, "resource detectors", (each) => typeof each.detect === "function");
  checkList("spanProcessors", spanProcessors, "span processors", isSpanProcessor);
  checkList("baggageAttributes", baggageAttributes, "names of baggage entries", (each) => typeof each === "string");
  checkList("views", views, "views of metrics", (each) => typeof each === "object");
  const timeout = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
  if (timeout > MAX_SHUTDOWN_TIMEOUT_MS) {
    throw new RangeError(
      `Cannot ${ACTION}: 'shutdownTimeout' must be a minute at most; received ${describeValue(shutdownTimeout)}`,
    );
  }
  return {
    environment: withOperatorValues({
      OTEL_TRACES_EXPORTER: exporter,
      OTEL_METRICS_EXPORTER: metrics,
      OTEL_LOGS_EXPORTER: exporter,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      // A pending export keeps the process alive, so it must not last longer than `shutdown`.
      OTEL_EXPORTER_OTLP_TIMEOUT: String(Math.max(MIN_EXPORT_TIMEOUT_MS, Math.min(timeout, DEFAULT_EXPORT_TIMEOUT_MS))),
      // Dropped spans and failed exports are logged and counted.
      OTEL_LOG_LEVEL: "warn",
      OTEL_NODE_EXPERIMENTAL_SDK_METRICS: "true",
    }),
    attributes: definedEntries({
      ...resourceAttributes,
      "service.name": serviceName ?? resourceAttributes["service.name"],
    }),
    sdk: definedEntries({ resourceDetectors, sampler, views, instrumentations }),
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

/** @throws TypeError if the value is not a list, or an element is not valid */
function checkList<T>(
  name: string,
  list: readonly T[] | undefined,
  wanted: string,
  isValid: (element: T) => boolean,
): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) throw invalid(name, `a list of ${wanted}`, list);
  for (const each of list as readonly (T | null | undefined)[]) {
    if (each === undefined || each === null || !isValid(each)) throw invalid(name, `a list of ${wanted}`, each);
  }
}

function invalid(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${ACTION}: '${name}' must be ${wanted}; received ${describeValue(value)}`);
}

function withOperatorValues(variables: Record<string, string | undefined>): Record<string, string> {
  const known = Object.entries(variables).map(([name, value]) => [name, process.env[name] || value]);
  return definedEntries(Object.fromEntries(known) as Record<string, string | undefined>);
}

/** A copy of the object without undefined values. */
function definedEntries<T extends object>(values: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
