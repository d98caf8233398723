import Module, { createRequire } from "node:module";

import type { Attributes } from "@opentelemetry/api";
import type * as sdkNode from "@opentelemetry/sdk-node";

/** OpenTelemetry's SDK, and its package of resources, which is not a dependency of this package. */
export interface Sdk {
  readonly node: typeof sdkNode;
  readonly resources: {
    defaultResource(): Resource;
    resourceFromAttributes(attributes: Attributes): Resource;
    detectResources(options: { detectors: readonly unknown[] }): Resource;
    readonly envDetector: object;
  };
}

export type Resource = NonNullable<sdkNode.NodeSDKConfiguration["resource"]>;

/** Packages that the SDK imports, but needs in some configurations only. They take longer to load than all the rest. */
const ON_DEMAND = [
  ...["trace", "metrics", "logs"].flatMap((signal) =>
    ["proto", "http", "grpc"].map((protocol) => `@opentelemetry/exporter-${signal}-otlp-${protocol}`),
  ),
  "@opentelemetry/otlp-grpc-exporter-base",
  "@opentelemetry/exporter-prometheus",
  "@opentelemetry/exporter-zipkin",
  "@opentelemetry/propagator-b3",
  "@opentelemetry/configuration",
];

let loaded: Sdk | undefined;

/**
 * Loads the SDK with `require`, when telemetry starts: an application that uses only `logFields` does not load it. The
 * packages of {@link ON_DEMAND} are loaded at their first use; the exporters of gRPC alone take a third of the time.
 */
export function loadSdk(): Sdk {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const requireAsSdk = createRequire(require.resolve("@opentelemetry/sdk-node"));
  const restore = ON_DEMAND.map((name) => postpone(name, requireAsSdk));
  try {
    loaded = {
      node: require("@opentelemetry/sdk-node") as Sdk["node"],
      resources: requireAsSdk("@opentelemetry/resources") as Sdk["resources"],
    };
  } finally {
    for (const each of restore) each();
  }
  return loaded;
}

/**
 * Replaces a package in the cache of `require` by an object that loads it when a member is read.
 *
 * @returns a function that undoes it
 */
function postpone(name: string, require: NodeJS.Require): () => void {
  const file = resolved(name, require);
  if (file === undefined || require.cache[file] !== undefined) return () => {};
  const standIn = new Module(file);
  const restore = (): void => {
    if (require.cache[file] === standIn) delete require.cache[file];
  };
  const load = (): object => {
    restore();
    return require(file) as object;
  };
  standIn.exports = new Proxy(
    {},
    {
      get: (_target, member) => Reflect.get(load(), member) as unknown,
      has: (_target, member) => Reflect.has(load(), member),
      ownKeys: () => Reflect.ownKeys(load()),
      getOwnPropertyDescriptor: (_target, member) => {
        const descriptor = Reflect.getOwnPropertyDescriptor(load(), member);
        return descriptor && { ...descriptor, configurable: true };
      },
    },
  );
  standIn.loaded = true;
  require.cache[file] = standIn;
  return restore;
}

/** The file of a package; `undefined` if this version of the SDK does not contain it. */
function resolved(name: string, require: NodeJS.Require): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}
