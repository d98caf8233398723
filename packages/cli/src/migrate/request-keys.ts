import { dirname, extname, relative } from "node:path";

import type { Node } from "oxc-parser";

import type { EditedFile } from "./edited-file.ts";

/** The module with the keys of the values that were stored by name. All files of a project share it. */
export class RequestKeys {
  readonly #path: string | undefined;
  readonly #folder: string;
  /** The text of the module before, if it exists. */
  readonly #text: string | undefined;
  /** The keys by name, with the files that use them. */
  readonly #keys = new Map<string, { readonly variable: string; readonly users: Set<EditedFile> }>();

  /**
   * @param folder - where the module is, unless its path is given
   * @param read - returns the text of a file, or `undefined`
   */
  constructor(folder: string, path: string | undefined, read: (path: string) => string | undefined) {
    this.#folder = folder;
    this.#path = path;
    this.#text = path === undefined ? undefined : read(path);
  }

  /** Returns the variable of a key, or `undefined` if it cannot be one. */
  variable(name: string, file: EditedFile, user: Node): string | undefined {
    const words = name.split(/[^\p{ID_Continue}]+/u).filter((word) => word !== "");
    const camel = words.map((word, index) => (index === 0 ? lowerFirst(word) : word[0]!.toUpperCase() + word.slice(1)));
    const variable = `${camel.join("")}Key`;
    const other = [...this.#keys].find(([known, each]) => each.variable === variable && known !== name);
    if (!/^\p{ID_Start}/u.test(variable) || words.length === 0) {
      file.refuse(user, `the key '${name}' is not the name of a variable`);
    } else if (other !== undefined) {
      file.refuse(user, `the keys '${name}' and '${other[0]}' would have the same variable, ${variable}`);
    } else {
      const key = this.#keys.get(name) ?? { variable, users: new Set() };
      this.#keys.set(name, key);
      key.users.add(file);
      return variable;
    }
    return undefined;
  }

  /** The files that were rewritten. */
  get #users(): EditedFile[] {
    return [...this.#keys.values()].flatMap(({ users }) => [...users]).filter(isRewritten);
  }

  get isUsed(): boolean {
    return this.#users.length > 0;
  }

  /** The path of the module. Known when all files have been read, as its format is theirs. */
  get path(): string {
    if (this.#path !== undefined) return this.#path;
    const users = this.#users;
    const isTypeScript = users.some((each) => each.isTypeScript);
    const isMixed = users.some((each) => each.isModule) && users.some((each) => !each.isModule);
    const folder = this.#folder === "" || this.#folder === "." ? "" : `${this.#folder.replace(/\/$/, "")}/`;
    return `${folder}request-keys.${isTypeScript ? "ts" : isMixed ? "mjs" : "js"}`;
  }

  /** The specifier by which a file imports the module. */
  specifierFor(file: EditedFile): string {
    let path = relative(dirname(file.path), this.path).replaceAll("\\", "/");
    if (!path.startsWith(".")) path = `./${path}`;
    if (!/\.[cm]?ts$/.test(path)) return path;
    // As the file's own imports of TypeScript files: with `.ts`, with `.js`, or without.
    const own = /(?:from|require\()\s*["'](\.[^"']*)["']/.exec(file.text)?.[1];
    const extension = own === undefined ? ".js" : extname(own);
    return path.replace(/\.([cm]?)ts$/, (_match, kind: string) =>
      /^\.[cm]?ts$/.test(extension) ? `.${kind}ts` : /^\.[cm]?js$/.test(extension) ? `.${kind}js` : "",
    );
  }

  /** The text of the module, with the keys that it had. */
  get text(): { readonly before: string; readonly after: string } {
    const before = this.#text ?? "";
    const isTypeScript = /\.[cm]?ts$/.test(this.path);
    const isModule =
      before === ""
        ? isTypeScript || this.path.endsWith(".mjs") || this.#users.every((each) => each.isModule)
        : /^(?:import|export)\b/m.test(before);
    const head = isModule
      ? 'import { createKey } from "@throughline/context";\n\n'
      : '"use strict";\n\nconst { createKey } = require("@throughline/context");\n\n';
    const lines = [...this.#keys]
      .filter(([, { variable, users }]) => [...users].some(isRewritten) && !before.includes(`${variable} =`))
      .map(([name, { variable }]) => {
        const key = `createKey${isTypeScript ? "<any>" : ""}(${JSON.stringify(name)});\n`;
        return isModule ? `export const ${variable} = ${key}` : `exports.${variable} = ${key}`;
      });
    return { before, after: (before === "" ? head : before) + lines.join("") };
  }
}

function isRewritten({ refusals }: EditedFile): boolean {
  return refusals.length === 0;
}

function lowerFirst(word: string): string {
  return word[0]!.toLowerCase() + word.slice(1);
}
