import { readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../pages.ts";

/** The folder of the drawings, which `drawings/main.ts` writes. */
export const DRAWINGS = "docs/pictures/drawings";

/** An SVG file of `DRAWINGS` as HTML of a page; `undefined` for any other image. */
export function inlineDrawing(file: string): string | undefined {
  if (!file.startsWith(`${DRAWINGS}/`)) return undefined;
  // The colours of the file follow the system. On a page they follow the theme, by `theme/drawings.css`.
  const svg = readFileSync(join(ROOT, file), "utf8").replace(/<style>[^]*?<\/style>\n/, "");
  return `<figure class="drawing">\n${svg.trim()}\n</figure>`;
}
