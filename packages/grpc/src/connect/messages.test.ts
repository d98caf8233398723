import { background } from "@throughline/context";
import { expect, it, vi } from "vitest";

import { Messages } from "./messages.ts";

const never = new Promise<never>(() => {});
const mapError = (error: unknown): unknown => error;

/** Messages whose second never comes, and whose producer never stops. */
function stuck(onEnd: (error?: unknown) => void): Messages<string> {
  let asked = 0;
  const next = (): Promise<IteratorResult<string>> =>
    asked++ === 0 ? Promise.resolve({ done: false, value: "one" }) : never;
  const iterator: AsyncIterator<string> = { next, return: () => never };
  return new Messages(background, { [Symbol.asyncIterator]: () => iterator }, { onEnd, mapError });
}

it("fail rejects all pending reads of a message that never comes", async () => {
  const onEnd = vi.fn();
  const messages = stuck(onEnd);
  expect(await messages.next()).toEqual({ done: false, value: "one" });
  const waiting = [messages.next(), messages.next()];
  const error = new Error("gone");
  messages.fail(error);
  for (const each of waiting) await expect(each).rejects.toBe(error);
  await expect(messages.next()).rejects.toBe(error);
  expect(onEnd.mock.calls).toEqual([[error]]);
});

it("return after fail does not wait for the producer", async () => {
  const messages = stuck(() => {});
  messages.fail(new Error("gone"));
  expect(await messages.return()).toEqual({ done: true, value: undefined });
});

it("fail rejects a pending return", async () => {
  const messages = stuck(() => {});
  const stopping = messages.return();
  const error = new Error("gone");
  messages.fail(error);
  await expect(stopping).rejects.toBe(error);
});
