// Writes the drawings of the docs. They are committed, so that the docs show them without this site.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../pages.ts";
import { pageStyle } from "./canvas.ts";
import { DRAWINGS } from "./drawings.ts";
import { DRAWINGS as FOLDER } from "./svg.ts";

mkdirSync(join(ROOT, FOLDER), { recursive: true });
for (const [name, draw] of Object.entries(DRAWINGS)) writeFileSync(join(ROOT, FOLDER, `${name}.svg`), draw().svg());
writeFileSync(join(ROOT, "site/.vitepress/theme/drawings.css"), pageStyle());
