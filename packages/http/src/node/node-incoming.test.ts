import { IncomingMessage } from "node:http";
import { Socket } from "node:net";

import { expect, it } from "vitest";

import { removeHeader, replaceHeader } from "./node-incoming.ts";

/**
 * A request as Node's parser creates it: `headers` and `headersDistinct` are computed from `rawHeaders` when they are
 * first read.
 */
function request(...rawHeaders: string[]): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  req.rawHeaders = rawHeaders;
  (req as unknown as { _addHeaderLines(lines: string[], count: number): void })._addHeaderLines(
    rawHeaders,
    rawHeaders.length,
  );
  return req;
}

const allHeaders = ({ headers, rawHeaders, headersDistinct }: IncomingMessage): unknown => [
  headers,
  rawHeaders,
  { ...headersDistinct },
];

it("removes a header from all properties, however often and in whatever case it was sent", () => {
  const req = request("X-Tenant", "a", "x-other", "1", "x-tenant", "b", "X-TENANT", "c");
  removeHeader(req, "x-tenant");
  expect(allHeaders(req)).toEqual([{ "x-other": "1" }, ["x-other", "1"], { "x-other": ["1"] }]);
});

it("removes a header after the headers were read", () => {
  const req = request("X-Tenant", "a", "x-other", "1");
  allHeaders(req);
  removeHeader(req, "x-tenant");
  expect(allHeaders(req)).toEqual([{ "x-other": "1" }, ["x-other", "1"], { "x-other": ["1"] }]);
});

it("removes no value that equals the name", () => {
  const req = request("x-other", "x-tenant", "x-tenant", "x-other");
  removeHeader(req, "x-tenant");
  expect(req.rawHeaders).toEqual(["x-other", "x-tenant"]);
});

it("replaces all values by one", () => {
  const req = request("Baggage", "a=1", "x-other", "1", "baggage", "b=2");
  replaceHeader(req, "baggage", "b=2");
  expect(allHeaders(req)).toEqual([
    { "x-other": "1", baggage: "b=2" },
    ["x-other", "1", "baggage", "b=2"],
    { "x-other": ["1"], baggage: ["b=2"] },
  ]);
});

it("does nothing if the header was not sent", () => {
  const req = request("x-other", "1");
  removeHeader(req, "x-tenant");
  expect(allHeaders(req)).toEqual([{ "x-other": "1" }, ["x-other", "1"], { "x-other": ["1"] }]);
});

it("removes a header of an HTTP/2 request, which has no headersDistinct", () => {
  const req = { headers: { "x-tenant": "a" }, rawHeaders: ["x-tenant", "a"] };
  removeHeader(req as never, "x-tenant");
  expect(req).toEqual({ headers: {}, rawHeaders: [] });
});
