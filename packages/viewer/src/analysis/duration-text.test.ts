import { expect, it } from "vitest";

import { differenceText, durationText } from "./duration-text.ts";

it.each([
  [0, "0 ms"],
  [0.000_001, "1 ns"],
  [0.0004, "400 ns"],
  [0.001_25, "1.25 µs"],
  [0.042, "42 µs"],
  [0.42, "0.42 ms"],
  [3.44, "3.4 ms"],
  [9.96, "10 ms"],
  [83.2, "83 ms"],
  [999.4, "999 ms"],
  [999.6, "1 s"],
  [1480, "1.48 s"],
  [12_340, "12.3 s"],
  [59_960, "1 min"],
  [125_000, "2 min 5 s"],
  [3_600_000, "1 h"],
  [19_800_000, "5 h 30 min"],
  [-30, "−30 ms"],
])("%f ms reads %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

it.each([
  [30, "+30 ms"],
  [-30, "−30 ms"],
  [0, "±0"],
])("a difference of %f ms reads %s", (ms, text) => {
  expect(differenceText(ms)).toBe(text);
});
