import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "vite";

const SOURCE = fileURLToPath(new URL("../../packages/viewer/web/", import.meta.url));

/** The page, built into a folder that goes away with it: what is tested is what is written, not what was built last. */
export async function buildPage(): Promise<{ readonly folder: string } & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), "viewer-page-"));
  await build({
    root: SOURCE,
    configFile: join(SOURCE, "vite.config.ts"),
    logLevel: "warn",
    // Vitest says "test", and the page would be built as for development.
    mode: "production",
    build: { outDir: folder },
  });
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
