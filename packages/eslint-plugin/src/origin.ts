import type { ESTree, SourceCode, Variable } from "@oxlint/plugins";

/** An AST node. */
export type Node = ESTree.Node;

/** Where a value was imported from. `name` is `"*"` for the module itself; members are joined: `"default.get"`. */
export interface Origin {
  readonly module: string;
  readonly name: string;
}

/** Aliases of aliases are followed this far, which also ends circles. */
const MAX_DEPTH = 8;

/** The variable that an identifier refers to. Global variables that no configuration lists have none. */
export function variableOf(source: SourceCode, node: Node): Variable | undefined {
  if (node.type !== "Identifier") return undefined;
  for (let scope: ReturnType<SourceCode["getScope"]> | null = source.getScope(node); scope; scope = scope.upper) {
    const variable = scope.set.get(node.name);
    if (variable !== undefined) return variable;
  }
  return undefined;
}

/** Whether the identifier is a global variable with this name, which the file does not declare. */
export function isGlobal(source: SourceCode, node: Node, name: string): boolean {
  return node.type === "Identifier" && node.name === name && !variableOf(source, node)?.defs.length;
}

/** The expression inside of parentheses, optional chains and TypeScript's assertions. */
export function unwrap(node: Node): Node {
  switch (node.type) {
    case "ChainExpression":
    case "ParenthesizedExpression":
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
    case "TSTypeAssertion":
      return unwrap(node.expression);
    default:
      return node;
  }
}

/** The name of a member or of a key, if it is a constant. */
export function keyOf(node: { key?: Node; property?: Node; computed: boolean }): string | undefined {
  const key = (node.key ?? node.property)!;
  if (key.type === "Identifier" && !node.computed) return key.name;
  return key.type === "Literal" ? String(key.value) : undefined;
}

/** The origin of an expression: by `import`, `require` or `await import()`, also through aliases. */
export function originOf(source: SourceCode, expression: Node, depth = 0): Origin | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const node = unwrap(expression);
  switch (node.type) {
    case "Identifier": {
      const variable = variableOf(source, node);
      return variable && originOfVariable(source, variable, depth + 1);
    }
    case "MemberExpression": {
      const origin = originOf(source, node.object, depth + 1);
      return origin && memberOf(origin, keyOf(node));
    }
    case "CallExpression": {
      const [argument] = node.arguments;
      return isGlobal(source, node.callee, "require") && argument ? moduleOf(argument) : undefined;
    }
    case "AwaitExpression":
      return node.argument.type === "ImportExpression" ? moduleOf(node.argument.source) : undefined;
    default:
      return undefined;
  }
}

function moduleOf(specifier: Node): Origin | undefined {
  return specifier.type === "Literal" && typeof specifier.value === "string"
    ? { module: specifier.value, name: "*" }
    : undefined;
}

function memberOf({ module, name }: Origin, key: string | undefined): Origin | undefined {
  if (key === undefined) return undefined;
  return { module, name: name === "*" ? key : `${name}.${key}` };
}

function originOfVariable(source: SourceCode, variable: Variable, depth: number): Origin | undefined {
  const [definition] = variable.defs;
  if (definition === undefined || variable.defs.length > 1) return undefined;
  if (definition.type === "ImportBinding") return originOfImport(definition.node, definition.parent);
  const { node } = definition;
  if (node.type !== "VariableDeclarator" || node.init === null) return undefined;
  if (node.id.type === "Identifier") return originOf(source, node.init, depth);
  if (node.id.type !== "ObjectPattern") return undefined;
  for (const property of node.id.properties) {
    if (property.type !== "Property") continue;
    const target = property.value.type === "AssignmentPattern" ? property.value.left : property.value;
    if (target.type !== "Identifier" || target.name !== variable.name) continue;
    const origin = originOf(source, node.init, depth);
    return origin && memberOf(origin, keyOf(property));
  }
  return undefined;
}

function originOfImport(specifier: Node, declaration: Node | null): Origin | undefined {
  if (declaration?.type !== "ImportDeclaration") return undefined;
  const module = declaration.source.value;
  switch (specifier.type) {
    case "ImportNamespaceSpecifier":
      return { module, name: "*" };
    case "ImportDefaultSpecifier":
      return { module, name: "default" };
    case "ImportSpecifier": {
      const { imported } = specifier;
      return { module, name: imported.type === "Literal" ? imported.value : imported.name };
    }
    default:
      return undefined;
  }
}

/** The name of a function of this library that an expression refers to, or `undefined`. */
export function ourName(source: SourceCode, node: Node): string | undefined {
  const origin = originOf(source, node);
  return origin?.module.startsWith("@throughline/") ? origin.name : undefined;
}

/** The name of the function of this library that a node calls, or `undefined`. */
export function ourCall(source: SourceCode, node: Node): string | undefined {
  return node.type === "CallExpression" ? ourName(source, node.callee) : undefined;
}

/** The expression that a variable is initialized with, if it is declared once and not destructured. */
export function initializerOf(source: SourceCode, node: Node): Node | undefined {
  const definition = variableOf(source, node)?.defs;
  if (definition?.length !== 1) return undefined;
  const declarator = definition[0]!.node;
  if (declarator.type !== "VariableDeclarator" || declarator.id.type !== "Identifier") return undefined;
  return declarator.init === null ? undefined : unwrap(declarator.init);
}

export type FunctionNode = ESTree.Function | ESTree.ArrowFunctionExpression;

export function isFunction(node: Node): node is FunctionNode {
  return (
    node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression"
  );
}

/** The innermost function around a node. */
export function functionAround(node: Node): FunctionNode | undefined {
  for (let each = parentOf(node); each !== null; each = parentOf(each)) if (isFunction(each)) return each;
  return undefined;
}

export function parentOf(node: Node): Node | null {
  return (node as { parent: Node | null }).parent;
}

export function contains(outer: Node, inner: Node): boolean {
  return outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1];
}

/** The modules that a file imports, statically, dynamically or by `require`, as far as they are constants. */
export function importedModules(source: SourceCode): Set<string> {
  const modules = new Set<string>();
  for (const statement of source.ast.body) {
    if (statement.type === "ImportDeclaration") modules.add(statement.source.value);
    if (statement.type !== "VariableDeclaration") continue;
    for (const { init } of statement.declarations) {
      let call = init === null ? init : unwrap(init);
      while (
        call?.type === "MemberExpression" ||
        (call?.type === "CallExpression" && call.callee.type !== "Identifier")
      )
        call = call.type === "MemberExpression" ? call.object : call.callee;
      const origin = call ? originOf(source, call) : undefined;
      if (origin?.name === "*") modules.add(origin.module);
    }
  }
  return modules;
}

const BROWSER = new Set(["$", "cy", "document", "jQuery", "localStorage", "navigator", "self", "window"]);

/** Whether a file runs in a browser, by its name or by the global variables that it uses. */
export function isForBrowser({ filename, sourceCode }: { filename: string; sourceCode: SourceCode }): boolean {
  if (/\.[jt]sx$/.test(filename)) return true;
  const { globalScope } = sourceCode.scopeManager;
  if (globalScope === null) return false;
  const isDeclared = (name: string): boolean => (globalScope.set.get(name)?.defs.length ?? 0) > 0;
  // Global variables that a configuration lists are resolved, and so no longer "through".
  return (
    globalScope.through.some(({ identifier }) => BROWSER.has((identifier as { name: string }).name)) ||
    [...BROWSER].some((name) => !isDeclared(name) && (globalScope.set.get(name)?.references.length ?? 0) > 0)
  );
}

/** Visits a node and all nodes below it. A visitor that returns `false` skips what is below. */
export function visit(source: SourceCode, node: Node, visitor: (node: Node) => boolean | void): void {
  if (visitor(node) === false) return;
  for (const key of source.visitorKeys[node.type] ?? []) {
    const child = (node as unknown as Record<string, Node | (Node | null)[] | null | undefined>)[key];
    if (Array.isArray(child)) {
      for (const each of child) if (each) visit(source, each, visitor);
    } else if (child) {
      visit(source, child, visitor);
    }
  }
}
