/** A product of the storefront. */
export interface Product {
  readonly id: string;
  readonly name: string;
}

export const PRODUCTS: readonly Product[] = [
  { id: "lamp-1", name: "Desk lamp" },
  { id: "lamp-2", name: "Floor lamp" },
  { id: "sofa-1", name: "Sofa with ten thousand reviews" },
  { id: "attic-1", name: "Everything in the attic" },
];

export function findProducts(query: string): Product[] {
  return PRODUCTS.filter((product) => product.id.startsWith(query));
}

/** Milliseconds of work for a query: `attic` is slow in every service, `sofa` only in reviews. */
export function workFor(query: string, service: "catalog" | "inventory" | "pricing" | "reviews"): number {
  if (query === "attic") return 1_500;
  if (query === "sofa" && service === "reviews") return 1_500 + Math.random() * 1_000;
  return service === "reviews" ? 20 + Math.random() * 60 : 10;
}
