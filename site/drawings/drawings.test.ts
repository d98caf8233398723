import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { ROOT } from "../pages.ts";
import { pageStyle } from "./canvas.ts";
import { DRAWINGS } from "./drawings.ts";
import { DRAWINGS as FOLDER } from "./svg.ts";

describe("the committed drawings", () => {
  it.each(Object.entries(DRAWINGS))("%s is as drawn; npm run docs:reference writes it", (name, draw) => {
    expect(readFileSync(join(ROOT, FOLDER, `${name}.svg`), "utf8")).toBe(draw().svg());
  });

  it("have the colours of the theme on the site", () => {
    expect(readFileSync(join(ROOT, "site/.vitepress/theme/drawings.css"), "utf8")).toBe(pageStyle());
  });
});
