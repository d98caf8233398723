import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe } from "vitest";

import { createApplication, isInstalled, Program, repository } from "./linked-application.ts";
import { itPassesDeadlinesToRoutes } from "./route-behavior.ts";

const FILES = {
  "nitro.config.mjs": 'export default { serverDir: "server", preset: "node_server" };',
  "server/middleware/0.context.ts": `
    import { contextMiddleware } from '../h3.ts';
    export default contextMiddleware({ maxTimeout: "2s" });`,
  "server/routes/items/[id].ts": `
    import { current } from '@throughline/context';
    export default async (event) => {
      const { id } = event.context.params;
      if (id === "slow") await new Promise(() => {});
      return { id, left: current().remaining() };
    };`,
};

describe.skipIf(!isInstalled("nitro"))("Nitro 3", () => {
  let folder: string;
  let program: Program;
  let url: string;

  beforeAll(async () => {
    folder = createApplication("nitro");
    for (const path of ["server/middleware", "server/routes/items"]) mkdirSync(join(folder, path), { recursive: true });
    for (const [path, content] of Object.entries(FILES)) writeFileSync(join(folder, path), content);
    copyFileSync(join(repository, "examples/recipes/h3.ts"), join(folder, "server/h3.ts"));
    program = new Program(folder, "nitro/dist/cli/index.mjs", ["build"]);
    await program.output();
    program = new Program(folder, ".output/server/index.mjs", [], { HOST: "127.0.0.1", PORT: "0" });
    url = await program.listening();
  }, 120_000);

  afterAll(async () => {
    await program?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  itPassesDeadlinesToRoutes("a route", () => url);
});
