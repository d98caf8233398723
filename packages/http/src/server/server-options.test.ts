import { expect, it } from "vitest";

import { grpcTimeout } from "../wire/dialects.ts";
import { createReceiver } from "./receive.ts";

it.each([
  [{ maxTimeout: "soon" }, RangeError, /'maxTimeout' must be zero or more milliseconds.*received string "soon"/],
  [{ defaultTimeout: -1 }, RangeError, /'defaultTimeout' must be zero or more milliseconds.*received number -1/],
  [{ minBudget: {} }, TypeError, /'minBudget' must be .*received an object of type Object/],
  [{ deadlineHeaders: ["grpc-timeout"] }, TypeError, /'deadlineHeaders' must be a list of deadline dialects/],
  [
    { invalidDeadline: "drop" },
    TypeError,
    /'invalidDeadline' must be one of "reject", "ignore"; received string "drop"/,
  ],
  [
    { deadlineHeaders: [{ ...grpcTimeout, header: "GRPC-Timeout" }] },
    TypeError,
    /'deadlineHeaders' must be a list of deadline dialects/,
  ],
  [{ mode: "dark" }, TypeError, /'mode' must be one of "observe", "propagate", "enforce"; received string "dark"/],
  [{ firstByteTimeout: "soon" }, RangeError, /'firstByteTimeout' must be zero or more milliseconds/],
  [{ idleTimeout: Number.NaN }, RangeError, /'idleTimeout' must be zero or more milliseconds/],
  [{ captureHeaders: "x-a" }, TypeError, /'captureHeaders' must be a list of header names; received string/],
  [{ acceptCriticality: "all" }, TypeError, /'acceptCriticality' must be one of "lower", "any", "none"/],
  [{ admission: 100 }, TypeError, /'admission' must be "adaptive" or an object.*received number 100/],
  [{ admission: { concurrency: 0 } }, RangeError, /'concurrency' must be a whole number, 1 or more/],
  [{ admission: { concurrency: 1, queue: 1.5 } }, RangeError, /'queue' must be a whole number, 0 or more/],
  [{ admission: { deadlineAware: "yes" } }, TypeError, /'deadlineAware' must be true or false/],
  [{ admission: { limit: 1 } }, TypeError, /there is no option 'limit'/],
  [{ maxTimeOut: "2s" }, TypeError, /there is no option 'maxTimeOut'/],
])("rejects %j when the middleware is created", (options, type, message) => {
  const create = (): unknown => createReceiver(options as never);
  expect(create).toThrow(type);
  expect(create).toThrow(message);
});

it("does not change the options object", () => {
  const options = Object.freeze({ maxTimeout: "2s" as const });
  expect(() => createReceiver(options)).not.toThrow();
});
