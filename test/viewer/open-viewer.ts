import { startViewer, type ViewedSpan, type Viewer, type ViewerOptions } from "@throughline/viewer";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";

import { buildPage, findChromium, launch } from "./browser.ts";
import { sendSpans } from "./send-spans.ts";

/** A viewer with traces and a browser page that shows it. */
export interface Opened extends AsyncDisposable {
  readonly viewer: Viewer;
  readonly page: Page;
  /** Navigates to a hash of the page. */
  readonly go: (hash: string) => Promise<void>;
  /** The current hash. */
  readonly hash: () => string;
}

export interface OpenOptions extends Omit<ViewerOptions, "page" | "port"> {
  readonly traces?: readonly (readonly ViewedSpan[])[];
  readonly hash?: string;
  readonly colorScheme?: "light" | "dark";
  /** @default "UTC" */
  readonly timezoneId?: string;
}

/** @param folder the folder of the built page */
async function open(browser: Browser, folder: string, options: OpenOptions = {}): Promise<Opened> {
  const { traces = [], hash = "", colorScheme = "light", timezoneId = "UTC", ...others } = options;
  const viewer = await startViewer({ port: 0, page: folder, ...others });
  for (const trace of traces) await sendSpans(viewer.url, trace);
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 720 }, timezoneId });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  // Violations of the content security policy are reported here too. Failed loads are ignored: tests cause them on
  // purpose.
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      errors.push(message.text());
  });
  const go = async (to: string): Promise<void> => void (await page.goto(`${viewer.url}/${to}`));
  await go(hash);
  return {
    viewer,
    page,
    go,
    hash: () => new URL(page.url()).hash,
    async [Symbol.asyncDispose]() {
      await context.close();
      await viewer.close();
      expect(errors).toEqual([]);
    },
  };
}

const executable = findChromium();

/** Defines tests in a real browser. Without a browser they are skipped with a warning. */
export function describeInBrowser(
  name: string,
  tests: (look: (options?: OpenOptions) => Promise<Opened>) => void,
): void {
  if (executable === undefined) {
    console.warn(`\n!!! SKIPPED: ${name}: Chromium is not installed. Install it or set CHROMIUM to its path. !!!\n`);
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
