import type { CallExpression, Node } from "oxc-parser";

import { type EditedFile, literal, type MigratedFile } from "./edited-file.ts";
import { usesOf } from "./library-uses.ts";

const MIDDLEWARE: Readonly<Record<string, string>> = {
  expressMiddleware: "@throughline/express",
  koaMiddleware: "@throughline/koa",
};

/** Rewrites uses of cls-rtracer. */
export function migrateClsRtracer(file: EditedFile): MigratedFile {
  const { statements, uses } = usesOf(file, "cls-rtracer");
  for (const { member, node, call } of uses) {
    const from = MIDDLEWARE[member];
    if (member === "id" && call?.arguments.length === 0) {
      file.replace(call.start, call.end, "requestId()");
      file.need("@throughline/http", "requestId", node);
    } else if (from !== undefined && call !== undefined) {
      const options = optionsOf(file, call.arguments[0], call);
      if (options === undefined) continue;
      file.replace(call.start, call.end, `requestContext(${options})`);
      file.need(from, "requestContext", node);
    } else if (member === "fastifyPlugin") replacePlugin(file, node);
    else file.refuse(node, `'${member}' cannot be rewritten here`);
  }
  return { statements };
}

/** `app.register(rTracer.fastifyPlugin, options)` */
function replacePlugin(file: EditedFile, node: Node): void {
  const register = file.parent(node) as CallExpression;
  if (register.type !== "CallExpression" || register.arguments[0] !== node) {
    return file.refuse(node, "the plugin must be the first argument of register");
  }
  const [, argument] = register.arguments;
  const options = optionsOf(file, argument, node);
  if (options === undefined) return;
  file.replace(node.start, (argument ?? node).end, options === "" ? "requestContext" : `requestContext, ${options}`);
  file.need("@throughline/fastify", "requestContext", node);
}

/** The options of `requestContext`, as text. Refuses options that have no counterpart. */
function optionsOf(file: EditedFile, argument: Node | undefined, call: Node): string | undefined {
  const options = { useHeader: false, echoHeader: false, headerName: "X-Request-Id" };
  if (argument !== undefined && argument.type !== "ObjectExpression") {
    file.refuse(argument, "the options must be an object literal");
    return undefined;
  }
  for (const property of argument?.properties ?? []) {
    const name = property.type === "Property" && property.key.type === "Identifier" ? property.key.name : "...";
    const value = property.type === "Property" ? property.value : undefined;
    const flag = value?.type === "Literal" && typeof value.value === "boolean" ? value.value : undefined;
    const text = literal(value);
    if (name === "headerName" && text !== undefined) options.headerName = text;
    else if ((name === "useHeader" || name === "echoHeader") && flag !== undefined) options[name] = flag;
    else {
      file.refuse(property, `the option '${name}' has no counterpart, or is no literal`);
      return undefined;
    }
  }
  if (options.useHeader) {
    const quote = /'/.test(file.textOf(argument!)) ? "'" : '"';
    return `{ requestIdHeader: ${quote}${options.headerName.toLowerCase()}${quote} }`;
  }
  if (options.echoHeader) {
    file.refuse(
      argument ?? call,
      "echoHeader without useHeader has no counterpart: requestIdHeader also reads the header",
    );
    return undefined;
  }
  return "";
}
