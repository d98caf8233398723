import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { compilerOptionsOf, manifestOf } from "./manifest.ts";
import { FRAMEWORKS, type Language, LANGUAGES, type ServiceOptions } from "./service-options.ts";

const TEMPLATES = new URL("../templates/", import.meta.url);

/**
 * Writes a service into a folder: an application with a Context for each request, a stand-in for a service that it
 * calls, and a test. It overwrites nothing, and installs nothing.
 *
 * @returns the files that were written, relative to the folder
 * @throws TypeError if an option is invalid
 * @throws Error if the folder is not empty
 */
export function create(folder: string, options: ServiceOptions = {}): string[] {
  const { framework = "express", language = "typescript" } = options;
  oneOf("framework", framework, FRAMEWORKS);
  oneOf("language", language, LANGUAGES);
  if (framework === "nest" && language === "javascript") {
    throw new TypeError(
      "Cannot create a service: 'language' must be typescript for nest, because of its decorators; received javascript",
    );
  }
  const root = resolve(folder);
  if (existsSync(root) && readdirSync(root).some((file) => file !== ".git")) {
    throw new Error(`Cannot create a service: the folder must be empty or new; ${root} has files`);
  }
  const name = nameFor(root);
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const files: Record<string, string> = {
    "package.json": json(manifestOf(name, framework, language, version)),
    ...(language === "typescript" && { "tsconfig.json": json(compilerOptionsOf(framework)) }),
    ...template("shared"),
    ...template(framework),
  };
  const written: string[] = [];
  for (const [path, text] of Object.entries(files)) {
    const target = language === "javascript" ? path.replace(/\.ts$/, ".js") : path;
    mkdirSync(dirname(join(root, target)), { recursive: true });
    writeFileSync(join(root, target), forLanguage(text, language).replaceAll("my-service", name));
    written.push(target);
  }
  return written.toSorted();
}

/** The files of a template. They have no type annotations, so that they are TypeScript and JavaScript. */
function template(name: string): Record<string, string> {
  const folder = fileURLToPath(new URL(`${name}/`, TEMPLATES));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const inFolder = relative(folder, path).replaceAll("\\", "/");
      // npm does not publish files of the name .gitignore.
      return [inFolder.replace(/^gitignore$/, ".gitignore"), readFileSync(path, "utf8")];
    }),
  );
}

function forLanguage(text: string, language: Language): string {
  return language === "typescript" ? text : text.replaceAll(/(?<=\bsrc\/[\w.]+|from "\.\/[\w.]+)\.ts\b/g, ".js");
}

/** A valid name of a package, from that of the folder. */
function nameFor(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replaceAll(/[^a-z\d._-]+/g, "-")
    .replaceAll(/^[._-]+|[._-]+$/g, "");
  return name === "" ? "service" : name;
}

function oneOf(option: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new TypeError(
    `Cannot create a service: '${option}' must be one of ${allowed.join(", ")}; received ${JSON.stringify(value)}`,
  );
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
