import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

const packages = fileURLToPath(new URL("../../packages/", import.meta.url));

/**
 * Bundles `worker.ts` with the sources of the packages. Without tree shaking, as in a development server.
 *
 * @param condition the name by which packages tell the runtime from others
 * @returns the program, and the modules that it imports
 */
export async function bundleWorker(
  condition: "edge-light" | "workerd",
  format: "cjs" | "esm",
): Promise<{ code: string; imports: string[] }> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL("worker.ts", import.meta.url)),
    platform: "neutral",
    treeshake: false,
    external: /^node:/,
    // Node 22 does not support `using`.
    transform: { target: "es2022", define: { "import.meta": "{}" } },
    resolve: { conditionNames: [condition, "import"], mainFields: ["module", "main"] },
    plugins: [
      {
        name: "packages from source",
        resolveId(id) {
          const [, name, entry = "index"] = /^@throughline\/(\w+)(?:\/(\w+))?$/.exec(id) ?? [];
          return name === undefined ? undefined : `${packages}${name}/src/${entry}.ts`;
        },
      },
    ],
  });
  const { output } = await bundle.generate({ format, exports: "named" });
  const [{ code, imports }] = output;
  return { code, imports };
}
