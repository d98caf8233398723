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

/** What `write` and `end` do then: the callback that they may be given is called, as of something that went well. */
export function callBack(args: readonly unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === "function") process.nextTick(callback as () => void);
}
