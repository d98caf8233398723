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
  const environment = {
    OTEL_SERVICE_NAME: serviceName,
    OTEL_TRACES_EXPORTER: exporter,
    OTEL_METRICS_EXPORTER: exporter,
    OTEL_LOGS_EXPORTER: exporter,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  };
  return {
    environment: Object.fromEntries(
      Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    instrumentations,
    shutdownTimeout: milliseconds(shutdownTimeout, ACTION, "shutdownTimeout"),
  };
}
