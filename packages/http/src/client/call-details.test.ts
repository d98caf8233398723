import { background, withCancel } from "@throughline/context";
import { expect, it } from "vitest";

import { type CallDetails, callsOf, noteCall } from "./call-details.ts";

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
  ["that loggers show as a property of it", (): void => {}, true],
  ["also where a listener has frozen it", (error: unknown): void => void Object.freeze(error), false],
  ["also where a listener has sealed it", (error: unknown): void => void Object.seal(error), false],
])("the error of a context tells of the calls that it has cut short, %s", (_how, listener, isShown) => {
  const error = ended();
  listener(error);
  noteCall(error, call(1));
  noteCall(error, call(2));

  expect(callsOf(error)).toEqual([call(1), call(2)]);
  expect("calls" in (error as object)).toBe(isShown);
});

it("an error that is frozen after the first call tells of the later ones too", () => {
  const error = ended();
  noteCall(error, call(1));
  Object.freeze(error);
  noteCall(error, call(2));

  expect(callsOf(error)).toEqual([call(1), call(2)]);
});

it("it tells of 16 calls at most", () => {
  const error = Object.freeze(ended());
  for (let attempt = 1; attempt <= 20; attempt++) noteCall(error, call(attempt));

  expect(callsOf(error).map(({ attempt }) => attempt)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
});

it("any other error tells of none", () => {
  const error = new Error("the application's own");
  noteCall(error, call(1));

  expect([callsOf(error), callsOf(undefined), Object.keys(error)]).toEqual([[], [], []]);
});
