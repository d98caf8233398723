import { expect, it } from "vitest";

import * as connect from "./connect/index.ts";
import { clientInterceptor, serverInterceptor } from "./index.ts";

it.each([
  ["a client interceptor of grpc-js", clientInterceptor(), "a client of @grpc/grpc-js; for Connect use the one of"],
  ["a server interceptor of grpc-js", serverInterceptor(), "a server of @grpc/grpc-js; for Connect use the one of"],
])("%s throws an error that names its library when Connect calls it", (_what, interceptor, where) => {
  const next = (): void => {};
  expect(() => (interceptor as (next: unknown) => unknown)(next)).toThrow(where);
});

it.each([
  ["a client interceptor of Connect", connect.clientInterceptor(), "a client of Connect; for @grpc/grpc-js use"],
  ["a server interceptor of Connect", connect.serverInterceptor(), "a server of Connect; for @grpc/grpc-js use"],
])("%s throws an error that names its library when grpc-js calls it", (_what, interceptor, where) => {
  expect(() => (interceptor as (options: object, next: unknown) => unknown)({}, () => {})).toThrow(where);
});

it.each([serverInterceptor, connect.serverInterceptor])("guards must be a list of functions", (make) => {
  expect(() => make({ guards: (() => {}) as never })).toThrow(
    "'guards' must be a list of functions; received function",
  );
  expect(() => make({ guards: [true as never] })).toThrow("'guards' must be a function");
});
