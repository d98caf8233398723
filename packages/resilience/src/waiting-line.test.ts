import { background, type CancelFunc, type Context, withCancel, withTimeout } from "@throughline/context";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type Criticality, withCriticality } from "./criticality.ts";
import { WaitingLine } from "./waiting-line.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Named {
  readonly name: string;
  readonly ctx: Context;
  readonly cancel: CancelFunc;
}

const timeUnknown = (): undefined => undefined;

/** A line with waiters of these names. */
function lineOf(...names: string[]): { line: WaitingLine<Named>; waiters: Named[] } {
  const line = new WaitingLine<Named>();
  const waiters = names.map((name) => {
    const [ctx, cancel] = withCancel(background);
    return { name, ctx, cancel };
  });
  for (const each of waiters) line.add(each);
  return { line, waiters };
}

/** Serves the next waiter. */
function serve(line: WaitingLine<Named>, time: () => number | undefined = timeUnknown): string | undefined {
  const next = line.next(time);
  if (next !== undefined) line.delete(next);
  return next?.name;
}

/** Ends the context of a waiter, which leaves the line. */
function giveUp(line: WaitingLine<Named>, waiter: Named | undefined): void {
  waiter!.cancel();
  line.delete(waiter!);
}

describe("WaitingLine", () => {
  it("serves the oldest first", () => {
    const { line } = lineOf("a", "b", "c");
    expect([serve(line), serve(line), serve(line), serve(line)]).toEqual(["a", "b", "c", undefined]);
  });

  it("serves the oldest first after another than the oldest has given up", () => {
    const { line, waiters } = lineOf("a", "b", "c");
    giveUp(line, waiters[1]);
    expect([serve(line), serve(line)]).toEqual(["a", "c"]);
  });

  it("serves the newest first after the oldest has given up, until it is empty", () => {
    const { line, waiters } = lineOf("a", "b", "c", "d");
    giveUp(line, waiters[0]);
    expect(line.isTooLong).toBe(true);
    expect([serve(line), serve(line), serve(line)]).toEqual(["d", "c", "b"]);

    expect(line.isTooLong).toBe(false);
    for (const each of waiters.slice(1, 3)) line.add(each);
    expect(serve(line)).toBe("b");
  });

  it("serves the newest first after a waiter was served too late", () => {
    const { line } = lineOf("a", "b", "c");
    serve(line);
    line.tooLate();
    expect([serve(line), serve(line)]).toEqual(["c", "b"]);
  });

  it("is not too long once it is empty, even if the last waiter was served too late", () => {
    const { line } = lineOf("a");
    serve(line);
    line.tooLate();
    expect(line.isTooLong).toBe(false);
  });

  it("gives every twentieth place to the oldest while the newest is served first", () => {
    const { line } = lineOf(...Array.from({ length: 50 }, (_, index) => String(index)));
    line.tooLate();
    const served = Array.from({ length: 40 }, () => serve(line));
    expect(served.flatMap((name, index) => (Number(name) < 10 ? [[index, name]] : []))).toEqual([
      [19, "0"],
      [39, "1"],
    ]);
  });

  it("serves the newest of the most critical first once it is too long, and in order until then", () => {
    const line = new WaitingLine<Named>();
    const add = (...names: string[]): void => {
      for (const name of names) {
        const [ctx, cancel] = withCancel(withCriticality(background, name.split(" ")[0] as Criticality));
        line.add({ name, ctx, cancel });
      }
    };
    add("sheddable 1", "default 1", "critical 1", "default 2", "critical 2", "sheddable 2");
    expect([serve(line), serve(line)]).toEqual(["sheddable 1", "default 1"]);
    line.tooLate();
    add("critical 3", "default 3");
    expect(Array.from({ length: 6 }, () => serve(line))).toEqual([
      "critical 3",
      "critical 2",
      "critical 1",
      "default 3",
      "default 2",
      "sheddable 2",
    ]);
  });

  it("passes over waiters whose time is too short for the work, while there are others", () => {
    const line = new WaitingLine<Named>();
    for (const [name, ms] of [
      ["short", 39],
      ["long", 41],
    ] as const) {
      const [ctx, cancel] = withTimeout(background, ms);
      line.add({ name, ctx, cancel });
    }
    const time = (): number => 40;
    expect([serve(line, time), serve(line, time), serve(line, time)]).toEqual(["long", "short", undefined]);
  });
});
