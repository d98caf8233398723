import { expect, it } from "vitest";

import { examine } from "./examine.ts";
import { subjects } from "./subjects.ts";

// The same few each time; `npm run fuzz` takes others, and many more.
it.each(subjects)("$name is read as its grammar has it, and nothing else is", async (subject) => {
  const { failures } = await examine(subject, 300, 1, 15_000);
  expect(failures.join("\n")).toBe("");
});
