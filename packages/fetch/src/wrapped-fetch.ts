/** Fetch functions whose requests undici's channels have reported: the headers of each hop can be chosen. */
const undiciFetches = new WeakSet<object>();

/** Fetch functions, each with the dispatchers by which undici's channels do not report its requests. */
const unobservable = new WeakMap<object, WeakSet<object>>();

/** Where undici keeps the dispatcher of calls that name none. */
const GLOBAL_DISPATCHER = Symbol.for("undici.globalDispatcher.1");

/** Whether the function is known to send by undici. This is learned from its calls. */
export function isUndiciFetch(fetch: typeof globalThis.fetch): boolean {
  return undiciFetches.has(fetch);
}

export function markUndiciFetch(fetch: typeof globalThis.fetch): void {
  undiciFetches.add(fetch);
}

/** Whether a call is known to stay unobserved: by a fetch that is not undici's, or by a dispatcher that is a mock. */
export function isUnobservable(fetch: typeof globalThis.fetch, init: RequestInit | null | undefined): boolean {
  return unobservable.get(fetch)?.has(dispatcherOf(fetch, init)) === true;
}

export function markUnobservable(fetch: typeof globalThis.fetch, init: RequestInit | null | undefined): void {
  const dispatchers = unobservable.get(fetch) ?? new WeakSet();
  unobservable.set(fetch, dispatchers.add(dispatcherOf(fetch, init)));
}

function dispatcherOf(fetch: typeof globalThis.fetch, init: RequestInit | null | undefined): object {
  const own = (init as { dispatcher?: object } | null | undefined)?.dispatcher;
  return own ?? (globalThis as { [GLOBAL_DISPATCHER]?: object })[GLOBAL_DISPATCHER] ?? fetch;
}
