import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

import { context as otel, ROOT_CONTEXT } from "@opentelemetry/api";

/**
 * Stores the current context if OpenTelemetry has no working context manager. All installed copies of this package
 * share it.
 */
const STORAGE = Symbol.for("@throughline/context/storage.1");
const shared = globalThis as { [STORAGE]?: AsyncLocalStorage<unknown> };
export const storage: AsyncLocalStorage<unknown> = (shared[STORAGE] ??= new AsyncLocalStorage<unknown>());

/**
 * Async scope for shared timers, so that they belong to no request, even if a request was the first to load this
 * package. It keeps the stores that other libraries have set when this package is loaded: load it when the process
 * starts.
 */
export const rootAsyncScope: AsyncResource = otel.with(ROOT_CONTEXT, () =>
  storage.exit(() => new AsyncResource("throughline.root", { requireManualDestroy: true })),
);
