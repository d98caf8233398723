import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";

import { buildPage } from "./built-page.ts";
import { findChromium, launch } from "./chromium.ts";
import { open, type Opened, type OpenOptions } from "./opened.ts";

const executable = findChromium();

/** Tests in a real browser; skipped, and loudly so, where there is none. */
export function describeInBrowser(
  name: string,
  tests: (look: (options?: OpenOptions) => Promise<Opened>) => void,
): void {
  if (executable === undefined) {
    console.warn(`\n!!! SKIPPED: ${name}: no Chromium is here. Install one, or set CHROMIUM to where it is. !!!\n`);
  }
  describe.skipIf(executable === undefined)(name, () => {
    let browser: Browser;
    let built: Awaited<ReturnType<typeof buildPage>>;
    beforeAll(async () => {
      [built, browser] = await Promise.all([buildPage(), launch(executable!)]);
    }, 60_000);
    afterAll(async () => {
      await browser?.close();
      built?.[Symbol.dispose]();
    });
    tests((options) => open(browser, built.folder, options));
  });
}
