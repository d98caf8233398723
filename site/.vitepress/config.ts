import { defineConfig, type DefaultTheme } from "vitepress";

import { REPOSITORY } from "../markdown.ts";
import type { Section } from "../navigation.ts";
import { addressOf, existingSections } from "../pages.ts";

const all = existingSections();

function sidebar(section: Section): DefaultTheme.SidebarItem[] {
  return section.groups.map(({ text, entries }) => ({
    text,
    items: entries.map((entry) => ({ text: entry.text, link: addressOf(entry.file) })),
  }));
}

/**
 * The sidebars by the beginnings of addresses, as each page contains all of them. Pages of the root belong to the guides,
 * unless another section lists them.
 */
function sidebars(): Record<string, DefaultTheme.SidebarItem[]> {
  const found: Record<string, DefaultTheme.SidebarItem[]> = {};
  // A package that is also a guide has the sidebar of the packages.
  for (const section of all) {
    for (const { file } of section.groups.flatMap(({ entries }) => entries)) {
      const [, folder = "", page] = addressOf(file).split("/");
      if (page !== undefined) found[`/${folder}/`] = sidebar(section);
      else found[section.text === "Guides" ? "/" : `/${folder}`] = sidebar(section);
    }
  }
  return found;
}

/** The anchors of GitHub, so that links to headings work there and here. */
function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}

export default defineConfig({
  title: "Throughline",
  description: "Go's context for Node services: one deadline, one cancellation, one trace, carried between services.",
  lang: "en",
  srcDir: "pages",
  outDir: "dist",
  base: process.env["SITE_BASE"] ?? "/",
  cleanUrls: true,
  lastUpdated: false,
  head: [
    ["meta", { name: "theme-color", content: "#0b6b5d" }],
    ["link", { rel: "icon", href: "data:," }],
  ],
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify },
    toc: { slugify },
  },
  themeConfig: {
    nav: [
      { text: "Start", link: "/start" },
      ...all
        .filter(({ groups }) => groups.length > 0)
        .map(({ text, groups }) => ({ text, link: addressOf(groups.at(text === "Learn" ? 1 : 0)!.entries[0]!.file) })),
    ],
    sidebar: sidebars(),
    outline: { level: [2, 3] },
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: REPOSITORY }],
    externalLinkIcon: true,
  },
});
