import type { ArrowFunctionExpression, CallExpression, Function, Node, Statement } from "oxc-parser";

import { type EditedFile, KEYS_MODULE, literal, type MigratedFile } from "./edited-file.ts";
import { memberUses, usesOf } from "./library-uses.ts";
import type { RequestKeys } from "./request-keys.ts";
import {
  bindInGuard,
  calledBy,
  groupsOf,
  middlewareAround,
  readSet,
  readValue,
  type SetCall,
} from "./values-in-guard.ts";

const NOTE = "Add app.use(requestContext()) of @throughline/express before all other middleware, if it is not there.";

/** Rewrites uses of cls-hooked, as far as they are mechanical. */
export function migrateClsHooked(file: EditedFile, keys: RequestKeys): MigratedFile {
  const { statements, uses } = usesOf(file, "cls-hooked");
  const declarations: Node[] = [];
  const variables = new Set<string>();
  let namespace: string | undefined;
  for (const { member, node, call } of uses) {
    const name = literal(call?.arguments[0]);
    const asserted = call && file.parent(call);
    const declarator = asserted?.type === "TSNonNullExpression" ? file.parent(asserted) : asserted;
    const statement = declarator && file.parent(declarator);
    if ((member !== "createNamespace" && member !== "getNamespace") || name === undefined) {
      file.refuse(node, `'${member}' cannot be rewritten here`);
    } else if (
      declarator?.type !== "VariableDeclarator" ||
      declarator.id.type !== "Identifier" ||
      statement?.type !== "VariableDeclaration" ||
      statement.declarations.length !== 1 ||
      file.parent(statement)?.type === "ExportNamedDeclaration"
    ) {
      file.refuse(node, "the namespace must be a variable of its own, which is not exported");
    } else {
      if (namespace !== undefined && namespace !== name) file.refuse(node, "the file uses another namespace too");
      declarations.push(statement);
      variables.add(declarator.id.name);
      namespace = name;
    }
  }
  const hasGuard = rewriteNamespace(file, keys, variables);
  for (const each of declarations) file.removeStatement(each);
  const note = hasGuard ? NOTE : undefined;
  return { statements, note, ...(namespace === undefined ? {} : { namespace }) };
}

/** Returns whether it made a guard. */
function rewriteNamespace(file: EditedFile, keys: RequestKeys, variables: ReadonlySet<string>): boolean {
  const uses = memberUses(file, variables, isNamespaceDeclaration);
  const nodes = new Set(uses.map(({ node }) => node));
  const isUse = (node: Node): boolean => nodes.has(node);
  const sets: SetCall[] = [];
  const runs: CallExpression[] = [];
  const emitters: CallExpression[] = [];
  for (const { member, node, call } of uses) {
    if (call === undefined) file.refuse(node, `'${member}' cannot be rewritten here`);
    else if (member === "get") readValue(file, keys, call);
    else if (member === "set") {
      const set = readSet(file, call);
      if (set !== undefined) sets.push(set);
    } else if (member === "run" || member === "runAndReturn" || member === "runPromise") runs.push(call);
    else if (member === "bind" && call.arguments.length === 1) {
      const [fn] = call.arguments;
      file.replace(call.start, fn!.start, "bind(current(), ");
      file.need("@throughline/context", "bind", call);
      file.need("@throughline/context", "current", call);
    } else if (member === "bindEmitter") emitters.push(call);
    else file.refuse(node, `'${member}' cannot be rewritten here`);
  }

  const groups = groupsOf(file, sets);
  const done = new Set<SetCall[]>();
  const replaced = new Set<Node>();
  let hasGuard = false;
  for (const call of runs) {
    const fn = callbackOf(call);
    if (fn === undefined) {
      file.refuse(call, "its argument must be a function without parameters");
      continue;
    }
    const body = fn.body!.type === "BlockStatement" ? fn.body.body : undefined;
    const group = groups.find(([first]) => body?.[0] === first!.statement);
    if (group !== undefined) done.add(group);
    const rest = body?.slice(group?.length ?? 0);
    const next =
      rest === undefined ? calledName(fn.body!) : rest.length === 1 ? calledBy(rest[0] as Statement) : undefined;
    const middleware = next === undefined ? undefined : middlewareAround(file, call, next);
    const statement = file.parent(call)!;
    if (middleware !== undefined && group !== undefined && statement.type === "ExpressionStatement") {
      bindInGuard(file, keys, group, isUse, statement);
      hasGuard = true;
    } else if (middleware !== undefined && group === undefined && isOnly(middleware.node, call, emitters)) {
      file.replace(middleware.node.start, middleware.node.end, "requestContext()");
      file.need("@throughline/express", "requestContext", call);
      replaced.add(middleware.node);
    } else if (group === undefined) file.refuse(call, "it binds no value; use requestContext(), or the function alone");
    else if (middlewareAround(file, call) !== undefined) {
      file.refuse(call, "in an Express middleware, set must be followed by next() alone");
    } else bindInRun(file, keys, call, fn, group, isUse);
  }
  for (const group of groups) {
    if (done.has(group)) continue;
    bindInGuard(file, keys, group, isUse);
    hasGuard = true;
  }
  for (const call of emitters) {
    const statement = file.parent(call)!;
    const middleware = middlewareAround(file, call);
    const [emitter] = call.arguments;
    const name = emitter?.type === "Identifier" ? emitter.name : undefined;
    if (middleware === undefined || statement.type !== "ExpressionStatement" || !name) {
      file.refuse(call, "bind each listener: emitter.on(event, bind(current(), listener))");
    } else if (!middleware.parameters.slice(0, 2).includes(name)) {
      file.refuse(call, "bind each listener: emitter.on(event, bind(current(), listener))");
    } else if (!replaced.has(middleware.node)) file.removeStatement(statement);
  }
  return hasGuard;
}

/** Declarations of namespaces are no uses of them. */
function isNamespaceDeclaration(init: Node): boolean {
  const call = init.type === "TSNonNullExpression" ? init.expression : init;
  if (call.type !== "CallExpression") return false;
  const { callee } = call;
  const name = callee.type === "MemberExpression" && !callee.computed ? callee.property.name : undefined;
  return /^(?:create|get)Namespace$/.test(name ?? (callee.type === "Identifier" ? callee.name : ""));
}

function callbackOf(call: CallExpression): ArrowFunctionExpression | Function | undefined {
  const [fn] = call.arguments;
  if (fn?.type !== "ArrowFunctionExpression" && fn?.type !== "FunctionExpression") return undefined;
  return call.arguments.length === 1 && fn.params.length === 0 && !fn.generator ? fn : undefined;
}

/** The function that an arrow function calls: `() => next()`. */
function calledName(body: Node): string | undefined {
  if (body.type !== "CallExpression" || body.arguments.length > 0) return undefined;
  return body.callee.type === "Identifier" ? body.callee.name : undefined;
}

/** Whether a middleware does nothing but bind its emitters and run the next one. */
function isOnly(middleware: Node, run: CallExpression, emitters: readonly CallExpression[]): boolean {
  if (middleware.type !== "ArrowFunctionExpression" && middleware.type !== "FunctionExpression") return false;
  const { body } = middleware;
  if (body === run) return true;
  if (body?.type !== "BlockStatement") return false;
  return body.body.every(
    (each) => each.type === "ExpressionStatement" && [run, ...emitters].some((call) => call === each.expression),
  );
}

/** `ns.run(() => { ns.set("a", a); ... })` becomes `run(withValue(current(), aKey, a), () => { ... })`. */
function bindInRun(
  file: EditedFile,
  keys: RequestKeys,
  call: CallExpression,
  fn: ArrowFunctionExpression | Function,
  sets: readonly SetCall[],
  isUse: (node: Node) => boolean,
): void {
  let ctx = "current()";
  for (const { statement, name, value } of sets) {
    const inside = file.within(value);
    if (inside.some((node) => isUse(node) || node.type === "AwaitExpression")) {
      return file.refuse(statement, "the value is awaited, or computed from values of the namespace");
    }
    const variable = keys.variable(name, file, statement);
    if (variable === undefined) return;
    file.need(KEYS_MODULE, variable, statement);
    ctx = `withValue(${ctx}, ${variable}, ${file.textOf(value)})`;
  }
  file.replace(call.start, fn.start, `run(${ctx}, `);
  for (const { statement } of sets) file.removeStatement(statement);
  for (const name of ["current", "run", "withValue"]) file.need("@throughline/context", name, call);
}
