import { fireEntry, nextEntry, useManualClock } from "@throughline/context/internal";
import type { Criticality } from "@throughline/resilience/internal";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { EventLoopLag } from "./event-loop-lag.ts";

let time: number;

beforeEach(() => {
  time = 0;
  useManualClock({ now: () => time, armed() {} });
});
afterEach(() => {
  useManualClock(undefined);
  vi.restoreAllMocks();
});

/** Sends a request in each turn of the event loop, which takes so many milliseconds. */
function turns(lag: EventLoopLag, count: number, ms: number): void {
  for (let turn = 0; turn < count; turn++) {
    lag.rejects("default");
    time += ms;
    for (let due = nextEntry(); due !== undefined && due.at <= time; due = nextEntry()) fireEntry(due);
  }
}

describe("EventLoopLag", () => {
  it("rejects nothing while the event loop is on time", () => {
    const lag = new EventLoopLag();
    turns(lag, 1000, 10);
    expect(lag.share).toBe(0);
  });

  it("rejects a growing share while each turn of the event loop is late, and less and less after it", () => {
    const lag = new EventLoopLag();
    turns(lag, 6, 200);
    const before = lag.share;
    turns(lag, 3, 200);
    expect(before).toBeGreaterThan(0.2);
    expect(lag.share).toBeGreaterThan(before);

    turns(lag, 1000, 10);
    expect(lag.share).toBe(0);
  });

  it("rejects nothing because of single pauses", () => {
    const lag = new EventLoopLag();
    for (let pause = 0; pause < 20; pause++) {
      turns(lag, 1, 500);
      turns(lag, 20, 10);
    }
    expect(lag.share).toBe(0);
  });

  it("never rejects all requests, so that it notices when the load ends", () => {
    const lag = new EventLoopLag();
    turns(lag, 1000, 500);
    expect(lag.share).toBeLessThan(1);
  });

  it("forgets the lag after a second without requests", () => {
    const lag = new EventLoopLag();
    turns(lag, 20, 200);
    time += 1001;
    expect(lag.rejects("default")).toBe(false);
    expect(lag.share).toBe(0);
  });

  it("rejects sheddable requests first, and critical ones last", () => {
    const lag = new EventLoopLag();
    while (lag.share < 0.5) turns(lag, 1, 200);
    let least = 0;
    const isRejected = (criticality: Criticality): boolean => {
      vi.spyOn(Math, "random").mockReturnValue(least);
      return lag.rejects(criticality);
    };
    least = 0.99;
    expect([isRejected("sheddable"), isRejected("default"), isRejected("critical")]).toEqual([true, false, false]);
    least = lag.share - 0.01;
    expect([isRejected("default"), isRejected("critical")]).toEqual([true, false]);
    turns(lag, 100, 200);
    least = 0.9;
    expect(isRejected("critical")).toBe(true);
  });
});
