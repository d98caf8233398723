// Builds the documentation site into `site/dist`. `--serve` starts a server that follows changes of the Markdown files.
import { rmSync, watch } from "node:fs";
import { join } from "node:path";

import { build, createServer } from "vitepress";

import { writeApi } from "./api.ts";
import { ROOT } from "./pages.ts";
import { stage } from "./stage.ts";

const SITE = join(ROOT, "site");

// The bundler of the configuration reads the tsconfig.json of the working directory.
process.chdir(SITE);
rmSync(join(SITE, "pages"), { recursive: true, force: true });
await writeApi();
for (const missing of stage()) console.warn(`SKIPPED, as it does not exist: ${missing}`);

if (process.argv.includes("--serve")) {
  const server = await createServer(SITE);
  await server.listen();
  server.printUrls();
  for (const folder of ["docs", "decisions", "packages"]) {
    watch(join(ROOT, folder), { recursive: true }, (_, file) => file?.endsWith(".md") === true && void stage());
  }
} else {
  await build(SITE);
}
