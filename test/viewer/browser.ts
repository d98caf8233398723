import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Browser, chromium } from "playwright-core";
import { build } from "vite";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of a Chromium: $CHROMIUM, or the first on the path; `undefined` if there is none. */
export function findChromium(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin"];
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [process.env["CHROMIUM"], ...paths].find((path) => path !== undefined && isExecutable(path));
}

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-gpu"] });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const SOURCE = fileURLToPath(new URL("../../packages/viewer/web/", import.meta.url));

/** Builds the page into a temporary folder, so that tests use the current source and not an old build. */
export async function buildPage(): Promise<{ readonly folder: string } & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), "viewer-page-"));
  await build({
    root: SOURCE,
    configFile: join(SOURCE, "vite.config.ts"),
    logLevel: "warn",
    // Vitest sets the mode "test", which would build the page for development.
    mode: "production",
    build: { outDir: folder },
  });
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
