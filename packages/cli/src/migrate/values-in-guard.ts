import type { CallExpression, ExpressionStatement, Node, Statement } from "oxc-parser";

import { type EditedFile, KEYS_MODULE, literal } from "./edited-file.ts";
import type { RequestKeys } from "./request-keys.ts";

/** A call `set("name", value)`, as a statement. */
export interface SetCall {
  readonly statement: ExpressionStatement;
  readonly name: string;
  readonly value: Node;
}

/** An Express middleware: a function with the parameters of a request, a response, and the next middleware. */
export interface ExpressMiddleware {
  readonly node: Node;
  readonly parameters: readonly [string, string, string];
}

/** Reads `set("name", value)`. Refuses any other form. */
export function readSet(file: EditedFile, call: CallExpression): SetCall | undefined {
  const [first, value, ...others] = call.arguments;
  const name = literal(first);
  const statement = file.parent(call);
  if (name === undefined) file.refuse(call, "the key must be a string literal");
  else if (value === undefined || value.type === "SpreadElement" || others.length > 0) {
    file.refuse(call, "set must have a key and a value");
  } else if (statement?.type !== "ExpressionStatement") file.refuse(call, "the result of set is used");
  else return { statement, name, value };
  return undefined;
}

/** The nearest function around a node that has three parameters, the last of which has the given name. */
export function middlewareAround(file: EditedFile, node: Node, next?: string): ExpressMiddleware | undefined {
  for (let around = file.parent(node); around !== undefined; around = file.parent(around)) {
    if (
      around.type !== "ArrowFunctionExpression" &&
      around.type !== "FunctionExpression" &&
      around.type !== "FunctionDeclaration"
    ) {
      continue;
    }
    const names = around.params.map((each) => (each.type === "Identifier" ? each.name : ""));
    const [req, res, last, ...others] = names;
    if (req && res && last && others.length === 0 && (next === undefined || last === next)) {
      return { node: around, parameters: [req, res, last] };
    }
  }
  return undefined;
}

/** The name of the function that a statement calls without arguments: `next();` or `return next();`. */
export function calledBy(statement: Statement | undefined): string | undefined {
  const call =
    statement?.type === "ExpressionStatement"
      ? statement.expression
      : statement?.type === "ReturnStatement"
        ? statement.argument
        : undefined;
  if (call?.type !== "CallExpression" || call.arguments.length > 0 || call.callee.type !== "Identifier")
    return undefined;
  return call.callee.name;
}

/**
 * Replaces `set("a", a); set("b", b); next();` in an Express middleware by a guard that binds the values. Listeners on
 * the request, such as those of body parsers, run in the Context of the guard; after `run(ctx, next)` they would not.
 *
 * @param whole - what is replaced, if it is more than these statements
 */
export function bindInGuard(
  file: EditedFile,
  keys: RequestKeys,
  sets: readonly SetCall[],
  isUse: (node: Node) => boolean,
  whole?: Node,
): void {
  const [first] = sets;
  const body = statementsAround(file, first!.statement);
  const last = body[body.indexOf(first!.statement) + sets.length];
  const next = calledBy(last);
  const middleware = next === undefined ? undefined : middlewareAround(file, first!.statement, next);
  // The third parameter of Fastify's hooks is called `done`.
  if (last === undefined || next !== "next" || middleware === undefined || body.at(-1) !== last) {
    return refuseSets(file, sets, "set must be followed by next(), as the last statements of an Express middleware");
  }
  const { start, end } = whole ?? { start: first!.statement.start, end: last.end };
  const variables: string[] = [];
  for (const [index, { statement, name, value }] of sets.entries()) {
    const inside = file.within(value);
    if (inside.some(({ type }) => type === "AwaitExpression" || type === "YieldExpression")) {
      return file.refuse(statement, "the value is awaited; await it before set");
    }
    if (inside.some((node) => node.type === "Identifier" && node.name === "ctx" && !file.isPropertyName(node))) {
      return file.refuse(statement, "the value uses a variable 'ctx'");
    }
    if (index > 0 && inside.some(isUse)) {
      return file.refuse(statement, "the value is computed from values that were set before");
    }
    const variable = keys.variable(name, file, statement);
    if (variable === undefined) return;
    variables.push(variable);
  }
  // What is replaced between the values; a comment in it would be lost.
  const pieces: [start: number, end: number, by: string][] = [];
  let from = start;
  for (const [index, { value }] of sets.entries()) {
    const head = index === 0 ? `guard(({ ctx }) => ${"withValue(".repeat(sets.length)}ctx, ` : "), ";
    pieces.push([from, value.start, `${head}${variables[index]}, `]);
    from = value.end;
  }
  // `void`, as the guard's promise is not what the function returns.
  const returned = last.type === "ReturnStatement" && whole === undefined ? "return void " : "";
  pieces[0]![2] = returned + pieces[0]![2];
  const semicolon = file.textOf(whole ?? last).endsWith(";") ? ";" : "";
  pieces.push([from, end, `))(${middleware.parameters.join(", ")})${semicolon}`]);
  if (pieces.some(([start, end]) => /\/[/*]/.test(file.text.slice(start, end)))) {
    return refuseSets(file, sets, "a comment between the statements would be lost");
  }
  for (const piece of pieces) file.replace(...piece);
  file.need("@throughline/express", "guard", first!.statement);
  file.need("@throughline/context", "withValue", first!.statement);
  for (const [index, variable] of variables.entries()) file.need(KEYS_MODULE, variable, sets[index]!.statement);
}

function refuseSets(file: EditedFile, sets: readonly SetCall[], message: string): void {
  for (const { statement } of sets) file.refuse(statement, message);
}

/** The statements of the block that a statement is in. */
function statementsAround(file: EditedFile, statement: Statement): readonly Statement[] {
  const block = file.parent(statement);
  return block?.type === "BlockStatement" ? (block.body as Statement[]) : [];
}

/** Groups calls of `set` that follow each other directly. */
export function groupsOf(file: EditedFile, sets: readonly SetCall[]): SetCall[][] {
  const groups: SetCall[][] = [];
  for (const each of sets) {
    const before = groups.at(-1)?.at(-1);
    const body = statementsAround(file, each.statement);
    const index = body.indexOf(each.statement);
    if (before !== undefined && index > 0 && body[index - 1] === before.statement) groups.at(-1)!.push(each);
    else groups.push([each]);
  }
  return groups;
}

/** Replaces `get("name")` by `current().value(nameKey)`. */
export function readValue(file: EditedFile, keys: RequestKeys, call: CallExpression): void {
  const name = literal(call.arguments[0]);
  if (name === undefined || call.arguments.length !== 1) return file.refuse(call, "the key must be a string literal");
  const variable = keys.variable(name, file, call);
  if (variable === undefined) return;
  file.replace(call.start, call.end, `current().value(${variable})`);
  file.need("@throughline/context", "current", call);
  file.need(KEYS_MODULE, variable, call);
}
