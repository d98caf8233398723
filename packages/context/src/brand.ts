/**
 * Makes `instanceof` agree between two installed copies of this package, as `npm` leaves them behind when two
 * libraries ask for different versions. A class that extends the branded one keeps the ordinary check.
 */
export function brand(type: { readonly prototype: object }, mark: symbol): void {
  Object.defineProperty(type.prototype, mark, { value: true });
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this === type) return hasBrand(value, mark);
      return Function.prototype[Symbol.hasInstance].call(this, value);
    },
  });
}

export function hasBrand(value: unknown, mark: symbol): boolean {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}
