import { expect, it } from "vitest";

import { examine } from "./examine.ts";
import { subjects } from "./subjects.ts";

// A few values with a fixed seed; `npm run fuzz` uses a new seed and many more values.
it.each(subjects)("the parser of $name accepts what its grammar allows, and nothing else", async (subject) => {
  const { failures } = await examine(subject, 300, 1, 15_000);
  expect(failures.join("\n")).toBe("");
});
