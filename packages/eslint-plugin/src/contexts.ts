import type { SourceCode, Variable } from "@oxlint/plugins";

import { contains, isFunction, type Node, originOf, ourCall, ourName, parentOf, unwrap, variableOf } from "./origin.ts";

/** Functions that return a Context and its cancel function. */
export const PAIRS: ReadonlySet<string> = new Set(["withCancel", "withDeadline", "withSignal", "withTimeout"]);

/** Functions that return a Context. */
const SINGLES: ReadonlySet<string> = new Set([
  "current",
  "withCriticality",
  "withPrincipal",
  "withValue",
  "withoutCancel",
]);

/** Functions whose first argument is a Context. */
const CONTEXT_FIRST: ReadonlySet<string> = new Set([
  ...PAIRS,
  ...[...SINGLES].filter((name) => name !== "current"),
  ..."afterFunc bind exchangeToken fanOut group hedge lease outboundHeaders query retry run sleep transaction".split(
    " ",
  ),
]);

/** Roots, which never end. */
const ROOTS: ReadonlySet<string> = new Set(["background", "todo"]);

export function isRoot(source: SourceCode, node: Node): boolean {
  if (node.type !== "Identifier" && node.type !== "MemberExpression") return false;
  const name = ourName(source, node);
  return name !== undefined && ROOTS.has(name);
}

/** Whether a call passes a Context as its first argument to a function of this library. */
export function takesContext(source: SourceCode, node: Node): boolean {
  const name = ourCall(source, node);
  return name !== undefined && CONTEXT_FIRST.has(name);
}

/** Whether an expression is a Context, as far as the file shows. */
export function isContext(source: SourceCode, expression: Node): boolean {
  const node = unwrap(expression);
  switch (node.type) {
    case "Identifier": {
      const variable = variableOf(source, node);
      return (variable !== undefined && isContextVariable(source, variable)) || isRoot(source, node);
    }
    case "CallExpression": {
      const name = ourCall(source, node);
      return name !== undefined && SINGLES.has(name);
    }
    case "MemberExpression":
      return isFirstOfPair(source, node) || isRoot(source, node);
    default:
      return false;
  }
}

function isFirstOfPair(source: SourceCode, node: Node): boolean {
  return (
    node.type === "MemberExpression" &&
    node.property.type === "Literal" &&
    node.property.value === 0 &&
    isPair(source, node.object)
  );
}

/** Whether an expression is a call that returns a Context and its cancel function. */
export function isPair(source: SourceCode, expression: Node): boolean {
  const name = ourCall(source, unwrap(expression));
  return name !== undefined && PAIRS.has(name);
}

/** Whether a variable holds a Context: by what it was declared with, by its type, or by where it is passed. */
export function isContextVariable(source: SourceCode, variable: Variable): boolean {
  const [definition] = variable.defs;
  if (definition === undefined) return false;
  const name = definition.name as Node;
  if (hasContextType(source, name)) return true;
  if (definition.type === "Parameter") {
    return (
      isParameter(definition.node, name) &&
      variable.references.some((each) => isPassedFirst(source, each.identifier as Node))
    );
  }
  const { node } = definition;
  if (node.type !== "VariableDeclarator" || node.init === null) return false;
  if (node.id.type === "Identifier") return isContext(source, node.init);
  return node.id.type === "ArrayPattern" && node.id.elements[0] === (name as unknown) && isPair(source, node.init);
}

function isPassedFirst(source: SourceCode, identifier: Node): boolean {
  const call = parentOf(identifier);
  return call?.type === "CallExpression" && call.arguments[0] === identifier && takesContext(source, call);
}

function isParameter(node: Node, name: Node): boolean {
  if (!isFunction(node)) return false;
  return node.params.some((each) => plainParameter(each) === name);
}

/** The identifier of a parameter without its default value and its accessibility. */
export function plainParameter(parameter: Node): Node {
  if (parameter.type === "TSParameterProperty") return plainParameter(parameter.parameter);
  return parameter.type === "AssignmentPattern" ? parameter.left : parameter;
}

/** Whether an identifier is declared with the type `Context` of this library. */
export function hasContextType(source: SourceCode, node: Node): boolean {
  const { typeAnnotation } = node as { typeAnnotation?: { typeAnnotation: Node } | null };
  const type = typeAnnotation?.typeAnnotation;
  if (type?.type !== "TSTypeReference") return false;
  const name = type.typeName as Node;
  if (name.type === "TSQualifiedName") {
    const origin = originOf(source, name.left as Node);
    return origin?.name === "*" && origin.module.startsWith("@throughline/") && name.right.name === "Context";
  }
  return ourName(source, name) === "Context";
}

/** Whether a Context was derived from `background` or `todo` in this file, so that it belongs to no request. */
function isRooted(source: SourceCode, variable: Variable): boolean {
  const declarator = variable.defs[0]?.node;
  if (declarator?.type !== "VariableDeclarator" || declarator.init === null) return false;
  let node = unwrap(declarator.init);
  while (node.type === "CallExpression" && node.arguments[0] !== undefined) node = unwrap(node.arguments[0]);
  if (isRoot(source, node)) return true;
  const parent = variableOf(source, node);
  return parent !== undefined && parent !== variable && isRooted(source, parent);
}

function isDeclaredBefore(declarator: Node, node: Node): boolean {
  return declarator.type === "VariableDeclarator" && declarator.init !== null && !contains(declarator, node);
}

/** The Context that the function around a node has: a parameter, or a variable that was declared before. */
export function contextAtHand(source: SourceCode, node: Node): Variable | undefined {
  for (let scope: ReturnType<SourceCode["getScope"]> | null = source.getScope(node); scope; scope = scope.upper) {
    if (scope.type === "module" || scope.type === "global") return undefined;
    for (const variable of scope.variables) {
      const [definition] = variable.defs;
      if (definition === undefined || definition.name.range[0] > node.range[0]) continue;
      if (definition.type === "Variable" && !isDeclaredBefore(definition.node, node)) continue;
      if (isContextVariable(source, variable) && !isRooted(source, variable)) return variable;
    }
  }
  return undefined;
}
