import { IncomingMessage } from "node:http";
import { Socket } from "node:net";

import { expect, it } from "vitest";

import { removeHeader, replaceHeader } from "./edit-headers.ts";

/** A request as Node's parser leaves it: `headers` and `headersDistinct` are made of `rawHeaders` when they are asked for. */
function request(...rawHeaders: string[]): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  req.rawHeaders = rawHeaders;
  (req as unknown as { _addHeaderLines(lines: string[], count: number): void })._addHeaderLines(
    rawHeaders,
    rawHeaders.length,
  );
  return req;
}

const told = ({ headers, rawHeaders, headersDistinct }: IncomingMessage): unknown => [
  headers,
  rawHeaders,
  { ...headersDistinct },
];

it("takes a header away in all ways, however often and in whatever case it was sent", () => {
  const req = request("X-Tenant", "a", "x-other", "1", "x-tenant", "b", "X-TENANT", "c");
  removeHeader(req, "x-tenant");
  expect(told(req)).toEqual([{ "x-other": "1" }, ["x-other", "1"], { "x-other": ["1"] }]);
});

it("does so too where the request has been looked at before", () => {
  const req = request("X-Tenant", "a", "x-other", "1");
  told(req);
  removeHeader(req, "x-tenant");
  expect(told(req)).toEqual([{ "x-other": "1" }, ["x-other", "1"], { "x-other": ["1"] }]);
});

it("takes no value for a name", () => {
  const req = request("x-other", "x-tenant", "x-tenant", "x-other");
  removeHeader(req, "x-tenant");
  expect(req.rawHeaders).toEqual(["x-other", "x-tenant"]);
});

it("puts one value in the place of all", () => {
  const req = request("Baggage", "a=1", "x-other", "1", "baggage", "b=2");
  replaceHeader(req, "baggage", "b=2");
  expect(told(req)).toEqual([
    { "x-other": "1", baggage: "b=2" },
    ["x-other", "1", "baggage", "b=2"],
    { "x-other": ["1"], baggage: ["b=2"] },
  ]);
});

it("does nothing where the header is not", () => {
  const req = request("x-other", "1");
  removeHeader(req, "x-tenant");
  expect(told(req)).toEqual([{ "x-other": "1" }, ["x-other", "1"], { "x-other": ["1"] }]);
});

it("works on requests of HTTP/2, which have no distinct headers", () => {
  const req = { headers: { "x-tenant": "a" }, rawHeaders: ["x-tenant", "a"] };
  removeHeader(req as never, "x-tenant");
  expect(req).toEqual({ headers: {}, rawHeaders: [] });
});
