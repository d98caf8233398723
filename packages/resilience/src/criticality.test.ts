import { background } from "@throughline/context";
import { expect, it } from "vitest";

import { CRITICALITIES, criticality, rank, withCriticality } from "./criticality.ts";

it("criticality is the default unless it was set", () => {
  expect(criticality(background)).toBe("default");
  expect(criticality(withCriticality(background, "sheddable"))).toBe("sheddable");
});

it("rank is higher for a more critical value", () => {
  expect(CRITICALITIES.map(rank)).toEqual([0, 1, 2]);
  expect(rank("critical")).toBeGreaterThan(rank("default"));
});

it("withCriticality rejects a value that is not one", () => {
  expect(() => withCriticality(background, "urgent" as "critical")).toThrow(
    'Cannot bind a criticality: \'value\' must be "critical", "default" or "sheddable"; received string "urgent"',
  );
});
