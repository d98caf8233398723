import { readFileSync } from "node:fs";

import { context, trace } from "@opentelemetry/api";
import { registeredApi } from "@throughline/context/internal";

import { StorageContextManager } from "./context-manager.ts";

/**
 * Sets up a context manager where spans are recorded and there is none. The span that an instrumentation makes for a request could be
 * found by nobody otherwise, and the request would have a second one. Does nothing before an SDK is set up: it brings its own.
 */
export function ensureContextManager(): void {
  const known = registeredApi();
  if (known.trace === undefined || known.context !== undefined || trace.getTracerProvider() !== known.trace) return;
  context.setGlobalContextManager(new StorageContextManager());
}

let isTold = false;

/**
 * Warns, once in a process, where an SDK has been set up by a copy of the API that ours cannot see: its spans and ours would be of two traces. Some
 * products, Sentry among them, bring a copy of their own.
 */
export function warnOfOtherApi(): void {
  if (isTold) return;
  const known = registeredApi();
  if (known.trace === undefined || trace.getTracerProvider() === known.trace) return;
  isTold = true;
  const { version } = known;
  process.emitWarning(
    `Cannot see the spans of this process: OpenTelemetry has been set up by @opentelemetry/api ${version}, and @throughline/http has loaded ` +
      `${ownVersion() ?? "a newer one"}, which sees only its own version and newer ones. The two make separate traces of a request. Install one ` +
      `version for both, with npm by "overrides": { "@opentelemetry/api": "${version}" } in package.json.`,
    { type: "ThroughlineWarning", code: "THROUGHLINE_OTHER_API" },
  );
}

function ownVersion(): string | undefined {
  try {
    const file = process.getBuiltinModule("node:module").findPackageJSON("@opentelemetry/api", import.meta.url)!;
    return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  } catch {
    // Not everybody who runs this can tell: another runtime, or a bundle.
    return undefined;
  }
}
