import type buffer from "node:buffer";
import type crypto from "node:crypto";
import type diagnosticsChannel from "node:diagnostics_channel";
import type events from "node:events";
import type fs from "node:fs";
import type http from "node:http";
import type http2 from "node:http2";
import type https from "node:https";
import type module from "node:module";
import type net from "node:net";
import type process from "node:process";
import type stream from "node:stream";
import type timers from "node:timers/promises";

/** The modules that edge runtimes may lack. All of them have `node:async_hooks`. */
interface NodeModules {
  "node:buffer": typeof buffer;
  "node:crypto": typeof crypto;
  "node:diagnostics_channel": typeof diagnosticsChannel;
  "node:events": typeof events;
  "node:fs": typeof fs;
  "node:http": typeof http;
  "node:http2": typeof http2;
  "node:https": typeof https;
  "node:module": typeof module;
  "node:net": typeof net;
  "node:process": typeof process;
  "node:stream": typeof stream;
  "node:timers/promises": typeof timers;
}

/**
 * Returns a module of Node, or `undefined` in runtimes that do not have it, such as the edge runtime of Next.js. An
 * import would be rejected there, by the bundler or when it is loaded, even if nothing calls the module.
 */
export function nodeModule<Id extends keyof NodeModules>(id: Id): NodeModules[Id] | undefined {
  // Next.js has a `process` whose functions throw, without `versions`. Its bundlers warn of uses of the variable itself.
  const runtime = (globalThis as { process?: Partial<NodeJS.Process> }).process;
  if (runtime?.versions?.node === undefined) return undefined;
  return runtime.getBuiltinModule?.(id) as NodeModules[Id] | undefined;
}

/** Emits a warning of the process, or logs it in runtimes without one. */
export function emitWarning(message: string, options: { type: string; code: string; detail?: string }): void {
  const process = nodeModule("node:process");
  if (process === undefined) console.warn(message);
  else process.emitWarning(message, options);
}
