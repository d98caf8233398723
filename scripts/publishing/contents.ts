// Which files a package may and must publish.
import type { Manifest, PackedPackage } from "./packed.ts";

/** Every package has these. */
const COMMON = [
  /^(package\.json|README\.md|LICENSE)$/,
  /^dist\/.+\.(js|cjs|js\.map|d\.ts|d\.cts|d\.ts\.map)$/,
  // The source maps lead to it.
  /^src\/.+\.ts$/,
];

/** What single packages have besides. */
const OTHER: Record<string, readonly RegExp[]> = {
  "create-throughline": [/^bin\/create-throughline\.js$/, /^templates\/\w+\/(README\.md|gitignore|src\/[\w.]+\.ts)$/],
  cli: [/^bin\/throughline\.js$/],
  viewer: [/^bin\/throughline-viewer\.js$/, /^dist\/web\/(index\.html|icon\.svg|assets\/.+\.(js|css|svg))$/],
  "eslint-plugin": [/^docs\/[\w-]+\.md$/],
};

/** Never published, wherever it is. */
const NEVER = /(\.(test|fuzz|fixture|spec)\.|\.tsbuildinfo$|(^|\/)(node_modules|coverage|\.env|\.npmrc)|\.log$|\.tgz$)/;

/** Returns what is wrong with the contents of a package, as sentences. */
export function contentFaults({ folder, manifest, files }: Omit<PackedPackage, "bytes">): string[] {
  const allowed = [...COMMON, ...(OTHER[folder] ?? [])];
  const present = new Set(files);
  const faults = files
    .filter(
      (file) => (NEVER.test(file) && !file.startsWith("templates/")) || !allowed.some((pattern) => pattern.test(file)),
    )
    .map((file) => `${folder}: publishes ${file}, which is not on the list of scripts/publishing/contents.ts`);
  for (const file of ["package.json", "README.md", "LICENSE", ...targetsOf(manifest)]) {
    if (!present.has(file)) faults.push(`${folder}: does not publish ${file}; run 'npm run build' first`);
  }
  for (const file of files.filter((each) => each.startsWith("src/"))) {
    const built = file.replace(/^src\//, "dist/").replace(/\.ts$/, ".js");
    if (!file.endsWith(".d.ts") && !present.has(built)) faults.push(`${folder}: publishes ${file}, but not ${built}`);
  }
  for (const file of files.filter((each) => /^dist\/(?!web\/).+\.js$/.test(each))) {
    const source = file.replace(/^dist\//, "src/").replace(/\.js$/, ".ts");
    if (!present.has(source)) faults.push(`${folder}: publishes ${file}, whose source does not exist: it is outdated`);
  }
  return faults;
}

/** The files that a manifest names: entry points, types and commands. */
function targetsOf({ main, types, exports = {}, bin = {} }: Manifest): string[] {
  const found: (string | undefined)[] = [main, types, ...Object.values(typeof bin === "string" ? { bin } : bin)];
  const visit = (value: unknown): void => {
    if (typeof value === "string") found.push(value);
    else if (value !== null && typeof value === "object") Object.values(value).forEach(visit);
  };
  visit(exports);
  return [...new Set(found.filter((file) => file !== undefined).map((file) => file.replace(/^\.\//, "")))];
}

/** Returns what is wrong with a manifest that is to be published, as sentences. */
export function manifestFaults(
  { folder, manifest }: Pick<PackedPackage, "folder" | "manifest">,
  version: string,
): string[] {
  const faults: string[] = [];
  const wrong = (field: string, wanted: string, received: unknown): unknown =>
    faults.push(`${folder}: '${field}' must be ${wanted}; received ${JSON.stringify(received)}`);
  if (manifest.version !== version) wrong("version", `"${version}", as in lerna.json`, manifest.version);
  if (manifest.license !== "Apache-2.0") wrong("license", `"Apache-2.0"`, manifest.license);
  if (manifest.publishConfig?.access !== "public") wrong("publishConfig.access", `"public"`, manifest.publishConfig);
  if (manifest.publishConfig?.provenance !== true) wrong("publishConfig.provenance", "true", manifest.publishConfig);
  if (manifest.repository?.directory !== `packages/${folder}`) {
    wrong("repository.directory", `"packages/${folder}"`, manifest.repository);
  }
  for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
    if (name.startsWith("@throughline/") && range !== version) wrong(`dependencies.${name}`, `"${version}"`, range);
  }
  return faults;
}
