import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";

import { startViewer, type ViewedSpan, type Viewer, type ViewerOptions } from "../../packages/viewer/src/index.ts";
import { send } from "./send.ts";

/** A viewer with traces in it, and a browser that looks at it. */
export interface Opened extends AsyncDisposable {
  readonly viewer: Viewer;
  readonly page: Page;
  /** Goes to a part of the page, by what follows the address of the viewer. */
  readonly go: (hash: string) => Promise<void>;
  /** Where it is. */
  readonly hash: () => string;
}

export interface OpenOptions extends Omit<ViewerOptions, "page" | "port"> {
  readonly traces?: readonly (readonly ViewedSpan[])[];
  readonly hash?: string;
  readonly colorScheme?: "light" | "dark";
}

/** @param folder of the built page */
export async function open(browser: Browser, folder: string, options: OpenOptions = {}): Promise<Opened> {
  const { traces = [], hash = "", colorScheme = "light", ...others } = options;
  const viewer = await startViewer({ port: 0, page: folder, ...others });
  for (const trace of traces) await send(viewer.url, trace);
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 720 }, timezoneId: "UTC" });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  // A breach of the content security policy is told here too. What a test makes fail on purpose is not: that is a failed load.
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text());
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
      expect(complaints).toEqual([]);
    },
  };
}
