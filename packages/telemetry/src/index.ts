export { DeadlineSpanProcessor } from "./deadline-span-processor.ts";
export { type LogFieldsOptions, logFields, type LogFormat, logFormat } from "./log-fields.ts";
export { type Exporter, type TelemetryOptions } from "./options.ts";
export { runningTelemetry, startTelemetry, type Telemetry } from "./start-telemetry.ts";
