import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

import { ROOT } from "../pages.ts";
import { referencePages } from "./pages.ts";

it("is committed as the code says; npm run docs:reference writes it", { timeout: 60_000 }, async () => {
  for (const [file, text] of Object.entries(await referencePages())) {
    expect(readFileSync(join(ROOT, "docs/reference", file), "utf8"), file).toBe(text);
  }
});
