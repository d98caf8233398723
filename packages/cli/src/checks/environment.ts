import type { Finding } from "../finding.ts";
import type { Project } from "../project.ts";

/** Variables of OpenTelemetry that cancel each other, or that are set wrongly. */
export function checkEnvironment({ env }: Project): Finding[] {
  const findings: Finding[] = [];
  const get = (name: string): string => (env[name] ?? "").trim();
  const add = (severity: Finding["severity"], where: string, message: string, remedy: string): void =>
    void findings.push({ check: "otel-environment", severity, message, where, remedy });

  const endpoint = get("OTEL_EXPORTER_OTLP_ENDPOINT");
  const tracesEndpoint = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  if (/^true$/i.test(get("OTEL_SDK_DISABLED"))) {
    const others = Object.keys(env).filter((name) => /^OTEL_(?:EXPORTER|TRACES|METRICS|LOGS)_/.test(name) && get(name));
    if (others.length > 0) {
      add("warning", "OTEL_SDK_DISABLED", `It disables what others set: ${others.join(", ")}.`, "Remove one of them.");
    }
  }
  if (get("OTEL_TRACES_EXPORTER") === "none" && tracesEndpoint !== "") {
    add(
      "warning",
      "OTEL_TRACES_EXPORTER",
      '"none" cancels OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: no trace is exported.',
      'Set it to "otlp", or remove it.',
    );
  }
  const sampler = get("OTEL_TRACES_SAMPLER");
  if (sampler === "always_off") {
    add("warning", "OTEL_TRACES_SAMPLER", '"always_off" records no trace.', 'Set it to "parentbased_traceidratio".');
  }
  if (get("OTEL_TRACES_SAMPLER_ARG") !== "" && !/ratio/.test(sampler)) {
    add(
      "warning",
      "OTEL_TRACES_SAMPLER_ARG",
      `It has no effect with the sampler "${sampler || "parentbased_always_on"}".`,
      "Set OTEL_TRACES_SAMPLER=parentbased_traceidratio.",
    );
  }
  const propagators = get("OTEL_PROPAGATORS");
  if (propagators !== "" && !propagators.split(",").some((each) => each.trim() === "tracecontext")) {
    add(
      "warning",
      "OTEL_PROPAGATORS",
      `"${propagators}" has no "tracecontext": OpenTelemetry's own instrumentations send no traceparent.`,
      'Add "tracecontext".',
    );
  }
  const protocol = get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") || get("OTEL_EXPORTER_OTLP_PROTOCOL");
  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", endpoint],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", tracesEndpoint],
  ] as const) {
    if (value === "") continue;
    const url = URL.parse(value);
    if (url === null) {
      add("error", name, `"${value}" is no URL.`, "Write it with its scheme, such as http://localhost:4318.");
      continue;
    }
    if (url.port === "4317" && protocol !== "" && protocol !== "grpc") {
      add("warning", name, `Port 4317 is that of gRPC, and the protocol is "${protocol}".`, "Use port 4318.");
    }
    if (url.port === "4318" && protocol === "grpc") {
      add("warning", name, 'Port 4318 is that of HTTP, and the protocol is "grpc".', "Use port 4317.");
    }
    if (name === "OTEL_EXPORTER_OTLP_ENDPOINT" && url.pathname.endsWith("/v1/traces")) {
      add("error", name, '"/v1/traces" is appended to it, and so is there twice.', "Remove the path.");
    }
  }
  return findings;
}
