import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { findChromium, launch } from "../test/viewer/browser.ts";
import { builtPages, buildSite, fileOf, htmlOf, serveSite } from "./built-site.ts";
import { ROOT } from "./pages.ts";

const REPOSITORY = "https://github.com/throughline-js/throughline/";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const executable = findChromium();
if (executable === undefined) {
  console.warn("\n!!! SKIPPED: the site in a browser: Chromium is not installed. Install it or set CHROMIUM. !!!\n");
}

beforeAll(() => buildSite(), 300_000);

/** The targets of the links and images of a page. */
function targets(html: string): string[] {
  return [...html.matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)]
    .map((match) => match[1]!.replaceAll("&amp;", "&"))
    .filter((target) => target !== "");
}

describe("the built site", () => {
  it("has a page for each part of the documentation", () => {
    const pages = builtPages();
    for (const page of ["/", "/start", "/learn/context", "/hosts", "/packages/http", "/api/context", "/migrate/"]) {
      expect(pages).toContain(page);
    }
    expect(pages.length).toBeGreaterThan(100);
  });

  it("has no link to a page, an image or a heading that does not exist", { timeout: 60_000 }, () => {
    const broken: string[] = [];
    const anchors = new Map<string, Set<string>>();
    const anchorsOf = (file: string): Set<string> => {
      const known = anchors.get(file);
      if (known !== undefined) return known;
      const found = new Set([...readFileSync(file, "utf8").matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]!));
      anchors.set(file, found);
      return found;
    };
    for (const page of builtPages()) {
      for (const target of targets(htmlOf(page))) {
        if (/^(https?|data|mailto):/.test(target)) continue;
        const { pathname, hash } = new URL(target, `http://site${page}`);
        const file = fileOf(pathname);
        if (file === undefined) broken.push(`${page}: ${target}`);
        else if (hash !== "" && !anchorsOf(file).has(decodeURIComponent(hash.slice(1)))) {
          broken.push(`${page}: ${target}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  it("links to files of the repository that exist", () => {
    const files = builtPages()
      .flatMap((page) => targets(htmlOf(page)))
      .filter((target) => target.startsWith(REPOSITORY))
      .map((target) => /(?:blob|tree)\/main\/([^#]*)/.exec(target)?.[1])
      .filter((file) => file !== undefined);
    expect(files.length).toBeGreaterThan(100);
    expect([...new Set(files)].filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it("lists its pages for language models", () => {
    const index = readFileSync(fileOf("/llms.txt")!, "utf8");
    const addresses = [...index.matchAll(/\]\((\/[^)]*)\)/g)].map((match) => match[1]!);
    expect(addresses).toContain("/learn/deadlines");
    expect(addresses.filter((address) => fileOf(address) === undefined)).toEqual([]);
  });
});

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

describe.skipIf(executable === undefined)("the site in a browser", () => {
  let browser: Browser;
  let site: Awaited<ReturnType<typeof serveSite>>;
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(executable!), serveSite()]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    site?.[Symbol.dispose]();
  });

  /** Opens a page, and records the errors of its console and of its requests. */
  async function open(
    width: number,
    colorScheme: "light" | "dark" = "light",
  ): Promise<{ page: Page; errors: string[] }> {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("console", (message) => message.type() === "error" && errors.push(`${page.url()}: ${message.text()}`));
    page.on("pageerror", (error) => errors.push(`${page.url()}: ${error.message}`));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "data:" && origin !== site.origin) errors.push(`requests ${request.url()}`);
    });
    return { page, errors };
  }

  it(
    "has no horizontal scroll on a phone, no console error, and no request to another host",
    { timeout: 240_000 },
    async () => {
      const { page, errors } = await open(360);
      const wide: string[] = [];
      for (const address of builtPages()) {
        await page.goto(`${site.origin}${address}`);
        const overflow = await page.evaluate(
          "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth",
        );
        if (overflow !== 0) wide.push(`${address}: ${overflow} px`);
      }
      expect(wide).toEqual([]);
      expect(errors).toEqual([]);
      await page.context().close();
    },
  );

  const PAGES = [
    "/",
    "/start",
    "/learn/deadlines",
    "/learn/overload",
    "/hosts",
    "/packages/http",
    "/decisions/",
    "/reference/options",
    "/compare",
    "/api/resilience",
  ];
  it.each(["light", "dark"] as const)("has no violation of axe in %s colours", { timeout: 120_000 }, async (scheme) => {
    const { page } = await open(1280, scheme);
    const found: string[] = [];
    for (const address of PAGES) {
      await page.goto(`${site.origin}${address}`, { waitUntil: "networkidle" });
      await page.evaluate(AXE);
      const { violations } = (await page.evaluate("axe.run()")) as { violations: Violation[] };
      for (const { id, nodes } of violations)
        found.push(`${address}: ${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`);
    }
    expect(found).toEqual([]);
    await page.context().close();
  });

  it("finds a page by its text, without a service", { timeout: 60_000 }, async () => {
    const { page, errors } = await open(1280);
    await page.goto(site.origin, { waitUntil: "networkidle" });
    const input = page.locator("#localsearch-input");
    // On a loaded machine the page is not interactive yet.
    await expect
      .poll(() => page.keyboard.press("/").then(() => input.isVisible()), { timeout: 30_000, interval: 500 })
      .toBe(true);
    await input.fill("hedging");
    await page.locator(".results .result").first().waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/resilience|clients|api/);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it("shows the code of the framework that the reader chooses", { timeout: 60_000 }, async () => {
    const { page } = await open(360);
    await page.goto(`${site.origin}/start`, { waitUntil: "networkidle" });
    const koa = page.getByText("new Koa()");
    expect(await koa.isVisible()).toBe(false);
    await page.locator(".vp-code-group label", { hasText: "Koa" }).click();
    await koa.waitFor({ state: "visible" });
    await page.context().close();
  });

  it("draws in the colours of the theme that the reader chooses", { timeout: 60_000 }, async () => {
    const { page } = await open(1280);
    await page.goto(`${site.origin}/learn/deadlines`, { waitUntil: "networkidle" });
    const colour = "getComputedStyle(document.querySelector('.drawing .d-ink')).fill";
    expect(await page.evaluate(colour)).toBe("rgb(31, 35, 40)");
    await page.locator(".VPSwitchAppearance").first().click();
    await expect.poll(() => page.evaluate(colour)).toBe("rgb(230, 230, 234)");
    await page.context().close();
  });
});
