import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

import { context as otel, ROOT_CONTEXT } from "@opentelemetry/api";

import type { Context } from "./context.ts";

/** The storage for when OpenTelemetry has no working context manager; one for all installed copies of this package. */
const STORAGE = Symbol.for("@throughline/context/storage.1");
const shared = globalThis as { [STORAGE]?: AsyncLocalStorage<Stored> };
export const storage: AsyncLocalStorage<Stored> = (shared[STORAGE] ??= new AsyncLocalStorage<Stored>());

/** The current context; or, where a manager carries that, the one of the request, for when the manager is given an older one. */
export type Stored = Context | { readonly request: Context };

/**
 * Where what serves everybody runs, such as a timer: in no request's context, even if this package was first loaded inside a
 * request. Stores of others that are there at that moment it keeps: load this package when the process starts.
 */
export const nobody: AsyncResource = otel.with(ROOT_CONTEXT, () =>
  storage.exit(() => new AsyncResource("throughline.nobody", { requireManualDestroy: true })),
);
