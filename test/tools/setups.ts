import { createRequire } from "node:module";

import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { TelemetryOptions } from "@throughline/telemetry";

/** The environment of the application. */
export interface Environment {
  /** The folder with the installed tools. */
  readonly tools: string;
  /** The origin of the next service, which is also the tool's collector. */
  readonly origin: string;
  /** Reports a server span of the tool with the path of its request. */
  readonly report: (path: string) => void;
}

export interface Setup {
  /** The package of the tool; `undefined` without a tool. */
  readonly tool?: string;
  /** Whether the tool reports its server spans to this test. */
  readonly reports?: true;
  /**
   * Whether calls carry exactly one trace header, of the caller's trace. Not checked for Sentry, which has its own
   * OpenTelemetry API.
   */
  readonly keepsTrace: boolean;
  /** Starts the tool and returns a function that flushes its reports. */
  start(environment: Environment): Promise<() => Promise<unknown>>;
}

interface Sentry {
  init(options: object): void;
  flush(): Promise<boolean>;
}

interface Datadog {
  init(options: object): void;
}

interface Elastic {
  start(options: object): void;
  flush(): Promise<void>;
}

interface Auto {
  getNodeAutoInstrumentations(): NonNullable<TelemetryOptions["instrumentations"]>[number];
}

const nothing = async (): Promise<void> => {};

function load(tools: string, name: string): unknown {
  return createRequire(`${tools}/package.json`)(name);
}

function sentry(tool: "sentry10" | "sentry11", tracesSampleRate?: number): Setup {
  return {
    tool,
    ...(tracesSampleRate !== undefined && { reports: true }),
    keepsTrace: false,
    async start({ tools, origin, report }) {
      const { init, flush } = load(tools, tool) as Sentry;
      init({
        dsn: `${origin.replace("//", "//key@")}/1`,
        tracesSampleRate,
        traceLifecycle: "static",
        beforeSendTransaction({
          contexts,
          request,
        }: {
          contexts: { trace: { op: string } };
          request: { url: string };
        }) {
          if (contexts.trace.op === "http.server") report(new URL(request.url).pathname);
          return null;
        },
      });
      return flush;
    },
  };
}

/** The set-ups by name. Each starts its tool before a framework is loaded. */
export const setups: Readonly<Record<string, Setup>> = {
  "no tool": { keepsTrace: true, start: async () => nothing },

  "Sentry 10, with tracing": sentry("sentry10", 1),
  "Sentry 10, without tracing": sentry("sentry10"),
  "Sentry 11, with tracing": sentry("sentry11", 1),
  "Sentry 11, without tracing": sentry("sentry11"),

  "dd-trace": {
    tool: "dd-trace",
    reports: true,
    keepsTrace: true,
    async start({ tools }) {
      const options = { exporter: "log", startupLogs: false, experimental: { exporter: "log" } };
      (load(tools, "dd-trace") as Datadog).init(options);
      return nothing;
    },
  },

  "elastic-apm-node": {
    tool: "elastic-apm-node",
    reports: true,
    keepsTrace: true,
    async start({ tools, origin }) {
      const agent = load(tools, "elastic-apm-node") as Elastic;
      const quiet = { logLevel: "off", centralConfig: false, cloudProvider: "none", metricsInterval: "0s" };
      agent.start({ serverUrl: origin, serviceName: "app", ...quiet });
      return () => agent.flush();
    },
  },

  newrelic: {
    tool: "newrelic",
    keepsTrace: true,
    async start({ tools }) {
      Object.assign(process.env, {
        NEW_RELIC_APP_NAME: "app",
        NEW_RELIC_LICENSE_KEY: "0".repeat(40),
        NEW_RELIC_NO_CONFIG_FILE: "true",
        NEW_RELIC_HOST: "127.0.0.1",
        NEW_RELIC_LOG_ENABLED: "false",
      });
      load(tools, "newrelic");
      return nothing;
    },
  },

  "@opentelemetry/auto-instrumentations-node": {
    tool: "@opentelemetry/auto-instrumentations-node",
    reports: true,
    keepsTrace: true,
    async start({ tools, report }) {
      const { SpanKind } = await import("@opentelemetry/api");
      const { startTelemetry } = await import("@throughline/telemetry");
      const { getNodeAutoInstrumentations } = load(tools, "@opentelemetry/auto-instrumentations-node") as Auto;
      const processor: SpanProcessor = {
        onStart: () => {},
        onEnd({ kind, attributes }: ReadableSpan) {
          if (kind === SpanKind.SERVER) report(String(attributes["url.path"] ?? attributes["http.target"]));
        },
        forceFlush: nothing,
        shutdown: nothing,
      };
      const telemetry = startTelemetry({
        serviceName: "app",
        exporter: "none",
        instrumentations: [getNodeAutoInstrumentations()],
        spanProcessors: [processor],
      });
      return () => telemetry.shutdown();
    },
  },
};
