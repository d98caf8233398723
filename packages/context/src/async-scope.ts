import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

import { context as otel, ROOT_CONTEXT } from "@opentelemetry/api";

/** Where the current context is kept when OpenTelemetry has no working context manager; one for all installed copies of this package. */
const STORAGE = Symbol.for("@throughline/context/storage.1");
const shared = globalThis as { [STORAGE]?: AsyncLocalStorage<unknown> };
export const storage: AsyncLocalStorage<unknown> = (shared[STORAGE] ??= new AsyncLocalStorage<unknown>());

/**
 * Async scope for shared timers, so that they belong to no request, even if this package was first loaded inside of one. It keeps the stores that other
 * libraries have set at that moment: load this package when the process starts.
 */
export const rootAsyncScope: AsyncResource = otel.with(ROOT_CONTEXT, () =>
  storage.exit(() => new AsyncResource("throughline.root", { requireManualDestroy: true })),
);
