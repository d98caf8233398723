import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Application } from "typedoc";

import { REPOSITORY } from "./markdown.ts";
import { API, ROOT } from "./pages.ts";
import { entryPoints } from "./reference/program.ts";

/** Writes a page for each package, and each of its public subpaths, from the docstrings of the source. */
export async function writeApi(): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: entryPoints().map(({ source }) => source),
    tsconfig: join(ROOT, "site/tsconfig.api.json"),
    plugin: [fileURLToPath(import.meta.resolve("typedoc-plugin-markdown"))],
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    readme: "none",
    name: "API",
    router: "module",
    logLevel: "Error",
    sourceLinkTemplate: `${REPOSITORY}/blob/main/packages/{path}#L{line}`,
    // Only in case that the output below is not taken: TypeDoc empties its folder, which is `docs` by default.
    out: join(ROOT, API),
    disableGit: true,
    basePath: ROOT,
    outputs: [{ name: "markdown", path: join(ROOT, API) }],
    // Options of the plugin, which the type does not know.
    ...({
      hideBreadcrumbs: true,
      hidePageHeader: true,
      entryFileName: "index",
      useCodeBlocks: true,
      parametersFormat: "table",
      propertiesFormat: "table",
      interfacePropertiesFormat: "table",
      useHTMLAnchors: true,
    } as object),
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("Cannot write the API: TypeDoc has found no program");
  // `packages/drivers/src/pg` is `drivers-pg`, which is also the name of its page.
  for (const module of project.children ?? []) {
    module.name = module.name
      .replace(/^packages\//, "")
      .replace(/\/src$/, "")
      .replace("/src/", "-");
  }
  await app.generateOutputs(project);
}
