import type { CreateOnceRule, ESTree, SourceCode } from "@oxlint/plugins";

import {
  functionAround,
  importedModules,
  initializerOf,
  isForBrowser,
  isGlobal,
  keyOf,
  type Node,
  type Origin,
  originOf,
  ourName,
  unwrap,
  variableOf,
} from "../origin.ts";
import { createRule } from "../rule.ts";

/** Files that import one of these run in a server. */
const SERVERS =
  /^(?:@throughline|@(?:koa|hono|nestjs|fastify|grpc|connectrpc)|(?:express|koa|fastify|hono|h3|restify|polka)$)/;

/** HTTP clients: the functions of each that send a request. */
const CLIENTS: Record<string, ReadonlySet<string>> = {
  axios: new Set(["default", "delete", "get", "head", "options", "patch", "post", "put", "request"]),
  got: new Set(["default", "delete", "get", "got", "head", "patch", "post", "put", "stream"]),
  ky: new Set(["default", "delete", "get", "head", "patch", "post", "put"]),
  "node-fetch": new Set(["default"]),
  undici: new Set(["fetch", "request", "stream"]),
  "node:http": new Set(["get", "request"]),
  "node:https": new Set(["get", "request"]),
};

/** Database drivers: the functions that create a client, and the methods that wait for the server. */
const DRIVERS: Record<string, { create: ReadonlySet<string>; wait: ReadonlySet<string> }> = {
  pg: { create: new Set(["Client", "Pool"]), wait: new Set(["query"]) },
  mysql2: { create: new Set(["createConnection", "createPool"]), wait: new Set(["execute", "query"]) },
  "mysql2/promise": { create: new Set(["createConnection", "createPool"]), wait: new Set(["execute", "query"]) },
  mariadb: { create: new Set(["createConnection", "createPool"]), wait: new Set(["batch", "execute", "query"]) },
  ioredis: {
    create: new Set(["Cluster", "Redis", "default"]),
    wait: new Set(["blpop", "brpop", "del", "get", "hget", "hset", "incr", "mget", "set", "xread"]),
  },
  redis: {
    create: new Set(["createClient", "createCluster"]),
    wait: new Set(["blPop", "brPop", "del", "get", "hGet", "hSet", "incr", "mGet", "set", "xRead"]),
  },
};

export const noBareIo: CreateOnceRule = createRule({
  description: "Require that calls to other services and to databases end with the request",
  messages: {
    client:
      "This call has no signal, so it goes on after the request. Use createFetch(){{or}}, or pass current().signal.",
    timeout:
      "AbortSignal.timeout() ignores the deadline of the request. Use the signal of withTimeout(current(), ...).",
    driver:
      "A query of '{{module}}' goes on after the request. Wrap '{{name}}' with withContext() of @throughline/drivers.",
  },
  schema: [{ type: "object", properties: { everywhere: { type: "boolean" } }, additionalProperties: false }],
  defaultOptions: [{ everywhere: false }],
  create(context) {
    return {
      before() {
        if (isForBrowser(context)) return false;
        const { everywhere } = (context.options[0] ?? {}) as { everywhere?: boolean };
        return everywhere || [...importedModules(context.sourceCode)].some((module) => SERVERS.test(module));
      },
      CallExpression(node) {
        const source = context.sourceCode;
        // What a module awaits while it loads belongs to no request.
        if (functionAround(node) === undefined) return;
        const callee = unwrap(node.callee);
        if (callee.type === "MemberExpression") {
          if (keyOf(callee) === "timeout" && isGlobal(source, callee.object, "AbortSignal")) {
            return context.report({ node, messageId: "timeout" });
          }
          const module = driverOf(source, callee);
          if (module !== undefined) {
            const name = source.getText(callee.object);
            return context.report({ node: callee, messageId: "driver", data: { name, module } });
          }
        }
        const origin = isGlobalFetch(source, callee) ? { module: "fetch", name: "fetch" } : originOf(source, callee);
        if (origin === undefined || !isClient(origin) || mayHaveSignal(source, node, origin)) return;
        const or =
          origin.module === "axios"
            ? " or contextAdapter()"
            : origin.module === "undici"
              ? " or contextInterceptor()"
              : "";
        context.report({ node: callee, messageId: "client", data: { or } });
      },
    };
  },
});

function isGlobalFetch(source: SourceCode, node: Node): boolean {
  if (isGlobal(source, node, "fetch")) return true;
  return node.type === "MemberExpression" && keyOf(node) === "fetch" && isGlobal(source, node.object, "globalThis");
}

function isClient({ module, name }: Origin): boolean {
  if (module === "fetch") return true;
  const functions = CLIENTS[/^https?$/.test(module) ? `node:${module}` : module];
  return functions !== undefined && (name === "*" || functions.has(name.replace(/^default\./, "")));
}

/** Whether a call has a signal, or an argument that the file does not show. */
function mayHaveSignal(
  source: SourceCode,
  { arguments: args }: ESTree.CallExpression,
  { module, name }: Origin,
): boolean {
  const dataIndex = module === "axios" && /(?:patch|post|put)$/.test(name) ? 1 : -1;
  return args.some((argument, index) => {
    if (argument.type === "SpreadElement") return true;
    const node = initializerOf(source, argument) ?? unwrap(argument);
    switch (node.type) {
      case "ObjectExpression":
        return node.properties.some(
          (each) =>
            each.type === "SpreadElement" ||
            /^(?:signal|cancelToken|adapter|dispatcher)$/.test(keyOf(each) ?? "signal"),
        );
      case "NewExpression":
        return node.callee.type === "Identifier" && node.callee.name === "Request";
      case "Literal":
      case "TemplateLiteral":
      case "BinaryExpression":
      case "ArrowFunctionExpression":
      case "FunctionExpression":
      case "AwaitExpression":
        return false;
      default:
        // A url, or the data that axios posts: only what follows can be options. node:http takes options in its place.
        return index > 0 ? index !== dataIndex : /^(?:node:)?https?$/.test(module);
    }
  });
}

/** The driver that created the client whose waiting method is called. */
function driverOf(source: SourceCode, callee: ESTree.MemberExpression): string | undefined {
  // A client that all requests share. A connection for one purpose, such as a migration, is no business of a request.
  const scope = variableOf(source, callee.object)?.scope.type;
  if (scope !== "module" && scope !== "global") return undefined;
  const created = initializerOf(source, callee.object);
  const creation = created?.type === "AwaitExpression" ? unwrap(created.argument) : created;
  if (creation?.type !== "NewExpression" && creation?.type !== "CallExpression") return undefined;
  if (ourName(source, creation.callee) !== undefined) return undefined;
  const origin = originOf(source, creation.callee);
  const driver = origin && DRIVERS[origin.module];
  if (origin === undefined || driver === undefined || !driver.wait.has(keyOf(callee) ?? "")) return undefined;
  const name = origin.name === "*" ? "default" : origin.name.replace(/^default\./, "");
  return driver.create.has(name) ? origin.module : undefined;
}
