/** Callbacks of contexts that have ended, in the order in which they ended. */
let ready: (() => void)[] = [];

/**
 * Has a callback called in a microtask. All that end together share one, and one that throws keeps none of the others from being
 * called: its error becomes an uncaught exception.
 */
export function callSoon(callback: () => void): void {
  // A promise, as `queueMicrotask` may be faked, and taken away before it has called.
  if (ready.push(callback) === 1) void Promise.resolve().then(callAll);
}

function callAll(): void {
  const callbacks = ready;
  ready = [];
  for (const callback of callbacks) {
    try {
      callback();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
