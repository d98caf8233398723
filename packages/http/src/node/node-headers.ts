import type { NodeRequest } from "./node-types.ts";

/** Takes a header away from a request, in all the ways that Node tells of it. */
export function removeHeader(req: NodeRequest, name: string): void {
  rewrite(req, name, undefined);
}

export function replaceHeader(req: NodeRequest, name: string, value: string): void {
  rewrite(req, name, value);
}

/** @param name in lower case */
function rewrite(req: NodeRequest, name: string, value: string | undefined): void {
  // Node makes the others of `rawHeaders` when they are first asked for, and counts on its length: they come first.
  const distinct = (req as { headersDistinct?: NodeJS.Dict<string[]> }).headersDistinct;
  const { headers, rawHeaders } = req;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]!.toLowerCase() === name) rawHeaders.splice(index, 2);
  }
  delete headers[name];
  if (distinct !== undefined) delete distinct[name];
  if (value === undefined) return;
  rawHeaders.push(name, value);
  headers[name] = value;
  if (distinct !== undefined) distinct[name] = [value];
}
