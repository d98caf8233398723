/** Header names, in lower case, with their values. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** Headers in the forms that undici accepts: alternating names and values, an object, or pairs. */
export type HeaderList =
  | readonly string[]
  | Readonly<Record<string, string | string[] | undefined>>
  | Iterable<readonly [string, string | string[] | undefined]>
  | null
  | undefined;

/** A copy of the headers in which `replacements` replace the headers of the same names. */
export function withHeaders(headers: HeaderList, replacements: HeaderPairs): Record<string, string | string[]> {
  const names = new Set(replacements.map(([name]) => name));
  const result: Record<string, string | string[]> = {};
  for (const [name, value] of pairs(headers)) {
    if (value === undefined || names.has(name.toLowerCase())) continue;
    const known = result[name];
    result[name] = known === undefined ? value : [known, value].flat();
  }
  return Object.assign(result, Object.fromEntries(replacements));
}

/** The value of a header, several values joined by commas; `undefined` if it is absent. `wanted` is in lower case. */
export function headerIn(headers: HeaderList, wanted: string): string | undefined {
  const values: (string | string[])[] = [];
  for (const [name, value] of pairs(headers)) {
    if (value !== undefined && name.toLowerCase() === wanted) values.push(value);
  }
  return values.length === 0 ? undefined : values.flat().join(",");
}

function pairs(headers: HeaderList): Iterable<readonly [string, string | string[] | undefined]> {
  if (typeof headers !== "object" || headers === null) return [];
  if (Array.isArray(headers) && headers.every((each) => typeof each === "string")) {
    return Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index]!, headers[2 * index + 1]!]);
  }
  if (Symbol.iterator in headers) return headers as Iterable<readonly [string, string | string[] | undefined]>;
  return Object.entries(headers as Record<string, string | string[] | undefined>);
}
