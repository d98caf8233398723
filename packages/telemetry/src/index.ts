export { type TelemetryOptions } from "./options.ts";
export { startTelemetry, type Telemetry } from "./start-telemetry.ts";
