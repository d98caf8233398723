import { expect, it } from "vitest";

import { acceptor } from "./acceptor.ts";
import { grpcTimeout } from "./dialects.ts";

it.each([
  [
    { maxTimeout: "soon" },
    RangeError,
    /'maxTimeout' must be zero or more milliseconds.*current value is string "soon"/,
  ],
  [
    { defaultTimeout: -1 },
    RangeError,
    /'defaultTimeout' must be zero or more milliseconds.*current value is number -1/,
  ],
  [{ minBudget: {} }, TypeError, /'minBudget' must be .*current value is an object of type Object/],
  [{ accept: ["grpc-timeout"] }, TypeError, /'accept' must be a list of deadline dialects/],
  [
    { invalidDeadline: "drop" },
    TypeError,
    /'invalidDeadline' must be one of "reject", "ignore": current value is string "drop"/,
  ],
  [{ accept: [{ ...grpcTimeout, header: "GRPC-Timeout" }] }, TypeError, /'accept' must be a list of deadline dialects/],
  [
    { mode: "dark" },
    TypeError,
    /'mode' must be one of "observe", "propagate", "enforce": current value is string "dark"/,
  ],
  [{ maxTimeOut: "2s" }, TypeError, /there is no option 'maxTimeOut'/],
])("refuses %j when the middleware is made", (options, type, message) => {
  const make = (): unknown => acceptor(options as never);
  expect(make).toThrow(type);
  expect(make).toThrow(message);
});

it("does not change the options it is given", () => {
  const options = Object.freeze({ maxTimeout: "2s" as const });
  expect(() => acceptor(options)).not.toThrow();
});
