/** Replaces methods of one object by others, and properties by what they are said to be: whatever is set later has no effect. */
export function silenced(
  target: object,
  methods: Record<string, (...args: never[]) => unknown>,
  properties: Record<string, () => unknown>,
): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
  for (const [name, get] of Object.entries(properties)) {
    Object.defineProperty(target, name, { get, set: () => {}, configurable: true });
  }
}

/** What such a method does: the callback that it may be given is called, without an error unless the caller would use a result. */
export function callBack(args: readonly unknown[], error?: Error): void {
  const callback = args.at(-1);
  if (typeof callback === "function") process.nextTick(callback as (error?: Error) => void, ...(error ? [error] : []));
}
