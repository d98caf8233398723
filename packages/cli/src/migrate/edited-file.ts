import { extname } from "node:path";

import MagicString from "magic-string";
import { type Node, parseSync, type Program, visitorKeys } from "oxc-parser";

/** A place that a migration cannot rewrite. */
export interface Refusal {
  /** Path and line. */
  readonly where: string;
  readonly message: string;
}

/** What the migration of a library reports of a file. */
export interface MigratedFile {
  /** The statements that import the library. */
  readonly statements: readonly Node[];
  /** The namespace of cls-hooked that the file uses. */
  readonly namespace?: string;
  /** What the user has to do by hand. */
  readonly note?: string | undefined;
}

/** In place of a package: the module with the keys, whose path is known when all files have been read. */
export const KEYS_MODULE = "request keys";

/** A source file with its syntax tree, and the edits that a migration makes to it. */
export class EditedFile {
  readonly path: string;
  readonly text: string;
  readonly isTypeScript: boolean;
  /** Whether it has `import` or `export` statements. */
  readonly isModule: boolean;
  readonly program: Program;
  readonly refusals: Refusal[] = [];
  readonly #output: MagicString;
  readonly #parents = new Map<Node, Node>();
  readonly #nodes: Node[] = [];
  /** The names that the rewritten code needs, by package. */
  readonly #imports = new Map<string, Set<string>>();

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.isTypeScript = /^\.[cm]?tsx?$/.test(extname(path));
    this.#output = new MagicString(text);
    const lang = extname(path) === ".tsx" ? "tsx" : this.isTypeScript ? "ts" : "jsx";
    const result = parseSync(path, text, { lang, sourceType: "unambiguous", preserveParens: false });
    this.program = result.program;
    this.isModule = result.module.hasModuleSyntax;
    const [error] = result.errors;
    if (error !== undefined) this.#refuseAt(error.labels[0]?.start ?? 0, `it cannot be parsed: ${error.message}`);
    else this.#index(result.program);
  }

  #index(node: Node): void {
    this.#nodes.push(node);
    for (const key of visitorKeys[node.type] ?? []) {
      const child = (node as unknown as Record<string, Node | (Node | null)[] | null>)[key];
      for (const each of Array.isArray(child) ? child : [child]) {
        if (!each) continue;
        this.#parents.set(each, node);
        this.#index(each);
      }
    }
  }

  /** All nodes, in the order of the source. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  parent(node: Node): Node | undefined {
    return this.#parents.get(node);
  }

  /** The node and all nodes inside of it. */
  within(node: Node): Node[] {
    return this.#nodes.filter(({ start, end }) => start >= node.start && end <= node.end);
  }

  textOf({ start, end }: { start: number; end: number }): string {
    return this.text.slice(start, end);
  }

  /** Records that a place cannot be rewritten. */
  refuse(node: Node, message: string): void {
    this.#refuseAt(node.start, message);
  }

  #refuseAt(index: number, message: string): void {
    this.refusals.push({ where: `${this.path}:${this.text.slice(0, index).split("\n").length}`, message });
  }

  /** Replaces a part of the text. */
  replace(start: number, end: number, by: string): void {
    if (start === end) this.#output.appendLeft(start, by);
    else this.#output.update(start, end, by);
  }

  /** Removes a statement and its line. */
  removeStatement({ start, end }: Node): void {
    const lineStart = this.text.lastIndexOf("\n", start - 1) + 1;
    const isAlone = this.text.slice(lineStart, start).trim() === "" && /^[^\S\n]*(?:\n|$)/.test(this.text.slice(end));
    if (!isAlone) return void this.#output.remove(start, end);
    const newline = this.text.indexOf("\n", end);
    const lineEnd = newline === -1 ? this.text.length : newline + 1;
    // Of empty lines before and after, one stays.
    const isBetweenEmptyLines = /\n\r?\n$/.test(this.text.slice(0, lineStart));
    const emptyLine = isBetweenEmptyLines ? (/^\r?\n/.exec(this.text.slice(lineEnd))?.[0].length ?? 0) : 0;
    this.#output.remove(lineStart, lineEnd + emptyLine);
  }

  /** The rewritten code uses a name of a package. Refuses if the file uses the name for something else. */
  need(from: string, name: string, user: Node): void {
    const names = this.#imports.get(from) ?? new Set();
    this.#imports.set(from, names);
    if (names.has(name)) return;
    const another = [...this.#imports].find(([each, others]) => each !== from && others.has(name));
    if (another !== undefined) this.refuse(user, `it needs '${name}' of ${from} and of ${another[0]}`);
    names.add(name);
    const other = this.#nodes.find(
      (node) => node.type === "Identifier" && node.name === name && !this.isPropertyName(node),
    );
    if (other === undefined) return;
    if (this.#importedFrom(name) === from) names.delete(name);
    else this.refuse(user, `it needs the name '${name}' of ${from}, which the file uses for something else`);
  }

  /** The package that a static import or a `require` takes a name from, under its own name. */
  #importedFrom(name: string): string | undefined {
    for (const node of this.program.body) {
      if (node.type === "ImportDeclaration") {
        const isImported = node.specifiers.some(
          (each) =>
            each.type === "ImportSpecifier" &&
            each.local.name === name &&
            each.imported.type === "Identifier" &&
            each.imported.name === name,
        );
        if (isImported) return node.source.value;
      }
      if (node.type !== "VariableDeclaration") continue;
      for (const { id, init } of node.declarations) {
        const from = init === null ? undefined : requiredBy(init);
        if (from === undefined || id.type !== "ObjectPattern") continue;
        const isImported = id.properties.some(
          (each) => each.type === "Property" && each.shorthand && this.textOf(each) === name,
        );
        if (isImported) return from;
      }
    }
    return undefined;
  }

  /** Whether an identifier is the name of a property, and no variable. */
  isPropertyName(node: Node): boolean {
    const parent = this.parent(node);
    switch (parent?.type) {
      case "MemberExpression":
        return parent.property === node && !parent.computed;
      case "Property":
        return parent.key === node && !parent.computed && !parent.shorthand;
      case "MethodDefinition":
      case "PropertyDefinition":
      case "TSPropertySignature":
      case "TSMethodSignature":
        return parent.key === node && !parent.computed;
      case "ImportSpecifier":
        return parent.imported === node && parent.local.start !== node.start;
      default:
        return false;
    }
  }

  /** Replaces the statements that imported the old library by imports of what the rewritten code needs. */
  replaceImports([first, ...others]: readonly Node[], keysModule: string): void {
    if (first === undefined) return;
    const lines = this.#importLines(this.textOf(first), keysModule);
    if (lines === "") this.removeStatement(first);
    else this.replace(first.start, first.end, lines);
    for (const each of others) this.removeStatement(each);
  }

  #importLines(style: string, keysModule: string): string {
    const quote = style.includes("'") ? "'" : '"';
    const end = style.endsWith(";") ? ";" : "";
    const isImport = style.startsWith("import");
    const packages = [...this.#imports]
      .filter(([from]) => from !== KEYS_MODULE)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const lines = [...packages, [keysModule, this.#imports.get(KEYS_MODULE) ?? []] as const].map(([from, names]) => {
      if ([...names].length === 0) return "";
      const list = `{ ${[...names].toSorted().join(", ")} }`;
      const path = `${quote}${from}${quote}`;
      return isImport ? `import ${list} from ${path}${end}` : `const ${list} = require(${path})${end}`;
    });
    return lines.filter((line) => line !== "").join(this.text.includes("\r\n") ? "\r\n" : "\n");
  }

  get output(): string {
    return this.#output.toString();
  }
}

/** The module of a `require` call. */
export function requiredBy(node: Node): string | undefined {
  if (node.type !== "CallExpression" || node.callee.type !== "Identifier" || node.callee.name !== "require") {
    return undefined;
  }
  const [argument] = node.arguments;
  return argument === undefined ? undefined : literal(argument);
}

/** The value of a string literal. */
export function literal(node: Node | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  return undefined;
}
