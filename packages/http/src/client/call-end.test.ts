import { background, withCancel } from "@throughline/context";
import { expect, it } from "vitest";

import { type CallDetails, callsOf, recordCall } from "./call-end.ts";

const call = (attempt: number): CallDetails => ({
  method: "GET",
  url: "http://next.example/",
  attempt,
  phase: "headers",
  elapsed: 5,
});

function ended(): unknown {
  const [ctx, cancel] = withCancel(background);
  cancel();
  return ctx.err();
}

it.each([
  ["as a property that loggers print", (): void => {}, true],
  ["also if a listener has frozen the error", (error: unknown): void => void Object.freeze(error), false],
  ["also if a listener has sealed the error", (error: unknown): void => void Object.seal(error), false],
])("the error of a context lists the calls that were in progress, %s", (_how, listener, isShown) => {
  const error = ended();
  listener(error);
  recordCall(error, call(1));
  recordCall(error, call(2));

  expect(callsOf(error)).toEqual([call(1), call(2)]);
  expect("calls" in (error as object)).toBe(isShown);
});

it("an error that is frozen after the first call lists the later ones too", () => {
  const error = ended();
  recordCall(error, call(1));
  Object.freeze(error);
  recordCall(error, call(2));

  expect(callsOf(error)).toEqual([call(1), call(2)]);
});

it("an error lists at most 16 calls", () => {
  const error = Object.freeze(ended());
  for (let attempt = 1; attempt <= 20; attempt++) recordCall(error, call(attempt));

  expect(callsOf(error).map(({ attempt }) => attempt)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
});

it("any other error lists none", () => {
  const error = new Error("not a context error");
  recordCall(error, call(1));

  expect([callsOf(error), callsOf(undefined), Object.keys(error)]).toEqual([[], [], []]);
});
