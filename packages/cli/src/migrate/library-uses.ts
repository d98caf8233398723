import type { CallExpression, Node } from "oxc-parser";

import { type EditedFile, requiredBy } from "./edited-file.ts";

/** A use of something that a library exports: `library.member`, or `member` if it was imported by name. */
export interface LibraryUse {
  readonly member: string;
  readonly node: Node;
  /** The call, if the member is called here. */
  readonly call: CallExpression | undefined;
}

export interface LibraryUses {
  /** The statements that import the library. */
  readonly statements: readonly Node[];
  readonly uses: readonly LibraryUse[];
}

/** Finds all uses of a library in a file. Refuses those that are not understood. */
export function usesOf(file: EditedFile, library: string): LibraryUses {
  const statements: Node[] = [];
  /** The local name of the whole library. */
  const wholes = new Set<string>();
  /** The members by their local names. */
  const members = new Map<string, string>();

  for (const node of file.nodes) {
    if (node.type === "ImportDeclaration" && node.source.value === library) {
      statements.push(node);
      if (node.specifiers.length === 0) file.refuse(node, "it imports the library without a name");
      for (const each of node.specifiers) {
        if (each.type !== "ImportSpecifier") wholes.add(each.local.name);
        else if (each.imported.type !== "Identifier") file.refuse(each, "it imports a string name");
        else if (each.importKind === "type" || node.importKind === "type") file.refuse(each, "it imports a type");
        else if (each.imported.name === "default") wholes.add(each.local.name);
        else members.set(each.local.name, each.imported.name);
      }
    } else if (
      node.type === "TSImportEqualsDeclaration" &&
      node.moduleReference.type === "TSExternalModuleReference" &&
      node.moduleReference.expression.value === library
    ) {
      statements.push(node);
      wholes.add(node.id.name);
    } else if (requiredBy(node) === library) {
      readRequire(file, node, statements, wholes, members);
    } else if (
      (node.type === "ImportExpression" && node.source.type === "Literal" && node.source.value === library) ||
      ((node.type === "ExportAllDeclaration" || node.type === "ExportNamedDeclaration") &&
        node.source?.value === library)
    ) {
      file.refuse(node, `it passes ${library} on; only static imports and require can be rewritten`);
    } else if (node.type === "Literal" && node.value === library && isNamedOnly(file, node)) {
      file.refuse(node, `it names ${library}, as a mock does`);
    }
  }
  const isOrigin = (init: Node): boolean => requiredBy(init) === library;
  return { statements, uses: [...memberUses(file, wholes, isOrigin), ...namedUses(file, members, isOrigin)] };
}

/** Whether a string is no part of an import. */
function isNamedOnly(file: EditedFile, node: Node): boolean {
  const parent = file.parent(node)!;
  return !/^(?:Import|Export|TSExternal)/.test(parent.type) && requiredBy(parent) === undefined;
}

function readRequire(
  file: EditedFile,
  call: Node,
  statements: Node[],
  wholes: Set<string>,
  members: Map<string, string>,
): void {
  const declarator = file.parent(call);
  const statement = declarator && file.parent(declarator);
  if (
    declarator?.type !== "VariableDeclarator" ||
    statement?.type !== "VariableDeclaration" ||
    statement.declarations.length !== 1
  ) {
    return file.refuse(call, "require must be the only declaration of a const statement");
  }
  if (file.parent(statement)?.type !== "Program") return file.refuse(call, "require must be at the top of the file");
  const { id } = declarator;
  if (id.type === "Identifier") wholes.add(id.name);
  else if (id.type === "ObjectPattern") {
    for (const each of id.properties) {
      if (each.type !== "Property" || each.key.type !== "Identifier" || each.value.type !== "Identifier") {
        return file.refuse(each, "it must name the members of the library");
      }
      members.set(each.value.name, each.key.name);
    }
  } else return file.refuse(id, "it must name the library");
  statements.push(statement);
}

/** The references of variables in a file, without the declarations that `isOrigin` accepts, and imports. */
function referencesOf(
  file: EditedFile,
  names: (name: string) => boolean,
  isOrigin: (init: Node) => boolean,
): [Node, string][] {
  const found: [Node, string][] = [];
  for (const node of file.nodes) {
    if (node.type !== "Identifier" || !names(node.name) || file.isPropertyName(node)) continue;
    const parent = file.parent(node)!;
    if (parent.type.startsWith("Import") || parent.type === "TSImportEqualsDeclaration") continue;
    if (parent.type === "VariableDeclarator" && parent.id === node && parent.init && isOrigin(parent.init)) continue;
    if (isInOriginPattern(file, node, isOrigin)) continue;
    if (isDeclaration(file, parent, node)) file.refuse(node, `the name '${node.name}' is declared more than once`);
    else found.push([node, node.name]);
  }
  return found;
}

function isInOriginPattern(file: EditedFile, node: Node, isOrigin: (init: Node) => boolean): boolean {
  const property = file.parent(node);
  const pattern = property?.type === "Property" ? file.parent(property) : undefined;
  const declarator = pattern?.type === "ObjectPattern" ? file.parent(pattern) : undefined;
  return declarator?.type === "VariableDeclarator" && declarator.init !== null && isOrigin(declarator.init);
}

function isDeclaration(file: EditedFile, parent: Node, node: Node): boolean {
  switch (parent.type) {
    case "VariableDeclarator":
    case "ClassDeclaration":
      return parent.id === node;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return parent.id === node || parent.params.some((each) => (each as Node) === node);
    case "CatchClause":
      return parent.param === node;
    case "AssignmentPattern":
      return parent.left === node;
    case "AssignmentExpression":
      return parent.left === node;
    case "Property":
      return file.parent(parent)?.type === "ObjectPattern";
    case "ArrayPattern":
    case "RestElement":
      return true;
    default:
      return false;
  }
}

/**
 * The members of an object that some variables hold: `variable.member`. Refuses any other use of them.
 *
 * @param isOrigin - whether a variable is declared with this value
 */
export function memberUses(
  file: EditedFile,
  variables: ReadonlySet<string>,
  isOrigin: (init: Node) => boolean,
): LibraryUse[] {
  const uses: LibraryUse[] = [];
  for (const [node, name] of referencesOf(file, (each) => variables.has(each), isOrigin)) {
    const parent = file.parent(node)!;
    if (parent.type === "MemberExpression" && parent.object === node && !parent.computed) {
      uses.push({ member: parent.property.name, node: parent, call: callOf(file, parent) });
    } else if (parent.type !== "ExportSpecifier") {
      file.refuse(node, `'${name}' is passed on as a value`);
    } else file.refuse(node, `'${name}' is exported`);
  }
  return uses;
}

function namedUses(
  file: EditedFile,
  members: ReadonlyMap<string, string>,
  isOrigin: (init: Node) => boolean,
): LibraryUse[] {
  return referencesOf(file, (each) => members.has(each), isOrigin).map(([node, name]) => ({
    member: members.get(name)!,
    node,
    call: callOf(file, node),
  }));
}

function callOf(file: EditedFile, node: Node): CallExpression | undefined {
  const parent = file.parent(node);
  return parent?.type === "CallExpression" && parent.callee === node ? parent : undefined;
}
