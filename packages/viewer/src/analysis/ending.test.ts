import { expect, it } from "vitest";

import { describeEnding } from "./ending.ts";

it.each([
  ["response", 200, false, { label: "200", tone: "good" }],
  ["response", 404, false, { label: "404", tone: "refused" }],
  ["response", 504, true, { label: "504", tone: "bad" }],
  ["deadline", 504, true, { label: "deadline 504", tone: "late" }],
  ["deadline", undefined, true, { label: "deadline", tone: "late" }],
  ["client", undefined, false, { label: "client left", tone: "left" }],
  ["cancel", undefined, false, { label: "canceled", tone: "left" }],
  ["refusal", 503, false, { label: "refused 503", tone: "refused" }],
  ["error", undefined, true, { label: "error", tone: "bad" }],
  [undefined, undefined, true, { label: "error", tone: "bad" }],
  [undefined, undefined, false, { label: "", tone: "plain" }],
  ["constructor", undefined, false, { label: "constructor", tone: "good" }],
])("describes a span ended by %s, with status %s, failed %s", (by, status, failed, expected) => {
  expect(describeEnding(by, status, failed)).toEqual(expected);
});

it("labels an error without a status by its type", () => {
  expect(describeEnding("error", undefined, true, "ECONNREFUSED").label).toBe("ECONNREFUSED");
});
