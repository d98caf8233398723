import { background } from "@throughline/context";
import { expect, it, vi } from "vitest";

import { Messages } from "./messages.ts";

const never = new Promise<never>(() => {});
const explain = (error: unknown): unknown => error;

/** Messages of which the second never comes, and which nobody can stop. */
function stuck(over: (error?: unknown) => void): Messages<string> {
  let asked = 0;
  const next = (): Promise<IteratorResult<string>> =>
    asked++ === 0 ? Promise.resolve({ done: false, value: "one" }) : never;
  const iterator: AsyncIterator<string> = { next, return: () => never };
  return new Messages(background, { [Symbol.asyncIterator]: () => iterator }, { over, explain });
}

it("fails whoever waits for a message that never comes, however often it has asked", async () => {
  const over = vi.fn();
  const messages = stuck(over);
  expect(await messages.next()).toEqual({ done: false, value: "one" });
  const waiting = [messages.next(), messages.next()];
  const error = new Error("gone");
  messages.fail(error);
  for (const each of waiting) await expect(each).rejects.toBe(error);
  await expect(messages.next()).rejects.toBe(error);
  expect(over.mock.calls).toEqual([[error]]);
});

it("that have failed are stopped without waiting for whoever makes them", async () => {
  const messages = stuck(() => {});
  messages.fail(new Error("gone"));
  expect(await messages.return()).toEqual({ done: true, value: undefined });
});

it("that are being stopped fail whoever waits for that", async () => {
  const messages = stuck(() => {});
  const stopping = messages.return();
  const error = new Error("gone");
  messages.fail(error);
  await expect(stopping).rejects.toBe(error);
});
