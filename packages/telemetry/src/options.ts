import type { TextMapPropagator } from "@opentelemetry/api";
import type { NodeSDKConfiguration } from "@opentelemetry/sdk-node";
import { describe, type Duration, milliseconds, oneOf, refuseUnknown } from "@throughline/context";

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
  /** What is known of this process besides what detectors find; what OTEL_RESOURCE_ATTRIBUTES says counts more. */
  resourceAttributes?: Readonly<Record<string, string>>;
  /** @default OTEL_NODE_RESOURCE_DETECTORS, else all of OpenTelemetry's */
  resourceDetectors?: NonNullable<NodeSDKConfiguration["resourceDetectors"]>;
  /** Which traces are recorded. @default OTEL_TRACES_SAMPLER, else all whose callers recorded theirs */
  sampler?: NonNullable<NodeSDKConfiguration["sampler"]>;
  /** Instrumentations to switch on. None is needed for what this library does. @default [] */
  instrumentations?: NonNullable<NodeSDKConfiguration["instrumentations"]>;
  /** Propagators besides those of OTEL_PROPAGATORS. @default [] */
  propagators?: readonly TextMapPropagator[];
  /** How long `shutdown` waits for the last export; what it waits for before that is not counted. No export takes longer,
   * or a second if that is more. @default "5s" */
  shutdownTimeout?: Duration;
}

/** What the options come to. */
export interface TelemetrySettings {
  /** Environment variables while the SDK is made. What the operator has set stays, but for attributes, which are added to. */
  readonly environment: Readonly<Record<string, string>>;
  readonly sdk: Pick<TelemetryOptions, "instrumentations" | "resourceDetectors" | "sampler">;
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
  const { shutdownTimeout = "5s", ...others } = more;
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
  const timeout = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
  if (timeout > LONGEST_TIMEOUT) {
    throw new RangeError(
      `Cannot ${ACTION}: 'shutdownTimeout' must be a minute at most: current value is ${describe(shutdownTimeout)}`,
    );
  }
  const sdk = { resourceDetectors, sampler, instrumentations };
  return {
    environment: withOperators({
      // A service that the operator has named by its attributes has its name.
      OTEL_SERVICE_NAME: /(?:^|,)\s*service\.name=/.test(process.env["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
        ? undefined
        : serviceName,
      OTEL_RESOURCE_ATTRIBUTES: listed(resourceAttributes),
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
    sdk: given(sdk),
    propagators,
    shutdownTimeout: timeout,
  };
}

/** Of two that have the same name the later counts: the operator's. */
function listed(attributes: Readonly<Record<string, string>>): string | undefined {
  const pairs = Object.entries(attributes).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const operators = process.env["OTEL_RESOURCE_ATTRIBUTES"];
  return pairs.length === 0 ? undefined : [...pairs, ...(operators ? [operators] : [])].join(",");
}

function wrong(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${ACTION}: '${name}' must be ${wanted}: current value is ${describe(value)}`);
}

function withOperators(variables: Record<string, string | undefined>): Record<string, string> {
  const { OTEL_RESOURCE_ATTRIBUTES, ...others } = variables;
  const known = Object.entries(others).map(([name, value]) => [name, process.env[name] || value]);
  return given({ OTEL_RESOURCE_ATTRIBUTES, ...(Object.fromEntries(known) as Record<string, string | undefined>) });
}

/** What there is of an object. */
function given<T extends object>(values: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
