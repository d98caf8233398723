import { expect, it } from "vitest";

import * as connect from "./connect/index.ts";
import { clientInterceptor, serverInterceptor } from "./index.ts";

it.each([
  ["a client interceptor of grpc-js", clientInterceptor(), "a client of @grpc/grpc-js; for Connect take the one of"],
  ["a server interceptor of grpc-js", serverInterceptor(), "a server of @grpc/grpc-js; for Connect take the one of"],
])("%s that is given to Connect says where it belongs", (_what, interceptor, where) => {
  const next = (): void => {};
  expect(() => (interceptor as (next: unknown) => unknown)(next)).toThrow(where);
});

it.each([
  ["a client interceptor of Connect", connect.clientInterceptor(), "a client of Connect; for @grpc/grpc-js take"],
  ["a server interceptor of Connect", connect.serverInterceptor(), "a server of Connect; for @grpc/grpc-js take"],
])("%s that is given to grpc-js says where it belongs", (_what, interceptor, where) => {
  expect(() => (interceptor as (options: object, next: unknown) => unknown)({}, () => {})).toThrow(where);
});

it.each([serverInterceptor, connect.serverInterceptor])("guards must be functions, in a list", (make) => {
  expect(() => make({ guards: (() => {}) as never })).toThrow(
    "'guards' must be a list of functions; received function",
  );
  expect(() => make({ guards: [true as never] })).toThrow("'guards' must be a function");
});
