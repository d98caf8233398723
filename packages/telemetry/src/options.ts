import type { NodeSDKConfiguration } from "@opentelemetry/sdk-node";
import { describe, type Duration, milliseconds, oneOf, refuseUnknown } from "@throughline/context";

export interface TelemetryOptions {
  /** Name of this service. @default OTEL_SERVICE_NAME */
  serviceName?: string;
  /** Where traces, metrics and logs go. @default "otlp" */
  exporter?: "otlp" | "console" | "none";
  /** How OTLP is sent. @default "http/protobuf" */
  protocol?: "http/protobuf" | "http/json" | "grpc";
  /** Base address of the collector, such as `http://localhost:4318`. @default the exporter's */
  endpoint?: string;
  /** Instrumentations to switch on. None is needed for what this library does. @default [] */
  instrumentations?: NodeSDKConfiguration["instrumentations"];
  /** How long `shutdown` waits for the last export. @default "5s" */
  shutdownTimeout?: Duration;
}

/** What the options come to: environment variables, each of which yields to one that the operator has set. */
export interface TelemetrySettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly instrumentations: NodeSDKConfiguration["instrumentations"];
  readonly shutdownTimeout: number;
}

const ACTION = "start telemetry";

const LONGEST_TIMEOUT = 60_000;

/** OpenTelemetry's own. */
const DEFAULT_EXPORT_TIMEOUT = 10_000;

/** @throws TypeError, RangeError if an option is wrong */
export function telemetrySettings(options: TelemetryOptions): TelemetrySettings {
  const {
    serviceName,
    exporter,
    protocol,
    endpoint,
    instrumentations = [],
    shutdownTimeout = "5s",
    ...others
  } = options;
  refuseUnknown(others, ACTION);
  if (serviceName !== undefined && (typeof serviceName !== "string" || serviceName === "")) {
    throw new TypeError(
      `Cannot ${ACTION}: 'serviceName' must be a string that is not empty: current value is ${describe(serviceName)}`,
    );
  }
  oneOf("exporter", exporter, ["otlp", "console", "none"], ACTION);
  oneOf("protocol", protocol, ["http/protobuf", "http/json", "grpc"], ACTION);
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    throw new TypeError(
      `Cannot ${ACTION}: 'endpoint' must be an http or https URL: current value is ${describe(endpoint)}`,
    );
  }
  const timeout = milliseconds(shutdownTimeout, ACTION, "shutdownTimeout");
  if (timeout > LONGEST_TIMEOUT) {
    throw new RangeError(
      `Cannot ${ACTION}: 'shutdownTimeout' must be a minute at most: current value is ${describe(shutdownTimeout)}`,
    );
  }
  const environment = {
    // A service that the operator has named by its attributes has its name.
    OTEL_SERVICE_NAME: /(?:^|,)\s*service\.name=/.test(process.env["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
      ? undefined
      : serviceName,
    OTEL_TRACES_EXPORTER: exporter,
    OTEL_METRICS_EXPORTER: exporter,
    OTEL_LOGS_EXPORTER: exporter,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    // An export that is under way keeps the process alive: none may last longer than shutdown does.
    OTEL_EXPORTER_OTLP_TIMEOUT: String(Math.max(1, Math.min(timeout, DEFAULT_EXPORT_TIMEOUT))),
  };
  return {
    environment: Object.fromEntries(
      Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    instrumentations,
    shutdownTimeout: timeout,
  };
}
