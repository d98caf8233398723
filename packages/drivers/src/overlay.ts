/**
 * The object with some members replaced. Its other methods keep the original object as `this`.
 *
 * @param replace returns a replacement for a member that is not in `overrides`; `undefined` keeps the member
 */
export function overlay<T extends object>(
  target: T,
  overrides: Readonly<Record<string, unknown>>,
  replace?: (key: string, value: unknown) => unknown,
): T {
  const bound = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get(object, key) {
      if (typeof key === "string" && Object.hasOwn(overrides, key)) return overrides[key];
      const value: unknown = Reflect.get(object, key, object);
      if (typeof value !== "function" || key === "constructor") return value;
      const replacement = typeof key === "string" ? replace?.(key, value) : undefined;
      if (replacement !== undefined) return replacement;
      let method = bound.get(key);
      if (method === undefined) bound.set(key, (method = (value as (...args: unknown[]) => unknown).bind(object)));
      return method;
    },
  });
}
