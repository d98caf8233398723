import * as stable from "@opentelemetry/semantic-conventions";
import * as incubating from "@opentelemetry/semantic-conventions/incubating";
import { expect, it } from "vitest";

import * as own from "./semantic-conventions.ts";

const names = Object.entries(own).flatMap(([constant, name]): [string, string][] =>
  typeof name === "string" ? [[constant, name]] : [],
);

it.each(names)("%s is a name of the semantic conventions", (constant, name) => {
  const conventions: Record<string, unknown> = constant.includes("_RPC_") ? incubating : stable;
  expect(Object.values(conventions)).toContain(name);
});

it.each(names.filter(([constant]) => !constant.includes("_RPC_")))("%s has its constant's name", (constant, name) => {
  expect((stable as Record<string, unknown>)[constant]).toBe(name);
});

it("names the attribute of a header as the semantic conventions do", () => {
  expect(own.ATTR_HTTP_REQUEST_HEADER("x-tenant")).toBe(stable.ATTR_HTTP_REQUEST_HEADER("x-tenant"));
});
