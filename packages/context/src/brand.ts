/**
 * Makes `instanceof` work across installed copies of this package. npm installs two copies if two libraries require
 * different versions. Subclasses of the branded class keep the ordinary check.
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
