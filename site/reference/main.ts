// Writes the tables of `docs/reference` from the code. They are committed; `reference.test.ts` compares them.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../pages.ts";
import { referencePages } from "./pages.ts";

const folder = join(ROOT, "docs/reference");
mkdirSync(folder, { recursive: true });
for (const [file, text] of Object.entries(await referencePages())) writeFileSync(join(folder, file), text);
