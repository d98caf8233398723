import { createRequire } from "node:module";

import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { TelemetryOptions } from "@throughline/telemetry";

/** What an application runs beside. */
export interface Surroundings {
  /** The folder that the tools are installed in. */
  readonly tools: string;
  /** The next service, which is the collector of the tool too. */
  readonly origin: string;
  /** Reports a server span of the tool, by the path of its request. */
  readonly report: (path: string) => void;
}

export interface Setup {
  /** The package, if it is not the application alone. */
  readonly tool?: string;
  /** Whether the tool reports server spans to this test. */
  readonly reports?: true;
  /** Whether what the next service receives is in the caller's trace, by one header. Not asserted of Sentry, which has an OpenTelemetry API of its own. */
  readonly keepsTrace: boolean;
  /** Starts the tool, and returns what sends the rest of its reports. */
  start(surroundings: Surroundings): Promise<() => Promise<unknown>>;
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

/** How an application is set up before it loads a framework. */
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
