import type { CreateOnceRule, ESTree } from "@oxlint/plugins";

import { keyOf, type Node, ourCall, parentOf, unwrap, variableOf } from "../origin.ts";
import { createRule } from "../rule.ts";

const ROUTES = new Set(["all", "delete", "get", "patch", "post", "put", "route"]);

interface App {
  /** The end of the last route, and the first `errorHandler()`. */
  lastRoute?: Node;
  errorHandler?: Node;
  requestContext?: Node;
  firstRoute?: Node;
}

export const middlewareOrder: CreateOnceRule = createRule({
  description: "Require requestContext before the routes and errorHandler after them",
  messages: {
    errorHandler:
      "errorHandler() is registered before a route, and does not answer the errors of that route. Move it below.",
    requestContext: "requestContext() is registered after all routes, so they have no Context. Move it above.",
    missing:
      "The application has no errorHandler(), so Express answers 500 in place of 504, 503 and 400. Add it after all routes.",
  },
  create(context) {
    let apps = new Map<unknown, App>();
    return {
      before() {
        apps = new Map();
      },
      CallExpression(node) {
        const { callee } = node;
        if (callee.type !== "MemberExpression" || callee.object.type !== "Identifier") return;
        const method = keyOf(callee);
        if (method !== "use" && !ROUTES.has(method ?? "")) return;
        if (parentOf(node)?.type !== "ExpressionStatement") return;
        const variable = variableOf(context.sourceCode, callee.object);
        // Only an application that this file creates, and registers in one place, has an order that the file shows.
        if (variable === undefined || !isExpress(variable.defs[0]?.node)) return;
        if (context.sourceCode.getScope(node).variableScope !== variable.scope.variableScope) return;
        const app = apps.get(variable) ?? {};
        apps.set(variable, app);
        if (method !== "use") {
          // `app.get("name")` reads a setting.
          if (node.arguments.length < 2 && method !== "route") return;
          app.firstRoute ??= node;
          app.lastRoute = node;
          return;
        }
        for (const argument of node.arguments) {
          const name = ourCall(context.sourceCode, unwrap(argument));
          if (name === "errorHandler") app.errorHandler ??= node;
          if (name === "requestContext" && node.arguments.length === 1) app.requestContext ??= node;
        }
      },
      "Program:exit"() {
        for (const [variable, { errorHandler, requestContext, firstRoute, lastRoute }] of apps) {
          if (requestContext === undefined || firstRoute === undefined || lastRoute === undefined) continue;
          if (requestContext.range[0] > lastRoute.range[0]) {
            context.report({ node: requestContext, messageId: "requestContext" });
          }
          if (errorHandler !== undefined && errorHandler.range[0] < lastRoute.range[0]) {
            context.report({ node: errorHandler, messageId: "errorHandler" });
          }
          if (errorHandler === undefined && listens(variable as { references: { identifier: unknown }[] })) {
            context.report({ node: requestContext, messageId: "missing" });
          }
        }
      },
    };
  },
});

function isExpress(node: Node | undefined): boolean {
  if (node?.type !== "VariableDeclarator" || node.init === null) return false;
  const init = unwrap(node.init);
  if (init.type !== "CallExpression" && init.type !== "NewExpression") return false;
  const callee = init.callee.type === "MemberExpression" ? init.callee.object : init.callee;
  return callee.type === "Identifier" && /^express$/i.test(callee.name);
}

/** Whether the file starts the application and gives it to nothing else, which might register more. */
function listens({ references }: { references: { identifier: unknown }[] }): boolean {
  let starts = false;
  for (const { identifier } of references) {
    const member = parentOf(identifier as Node) as ESTree.Node;
    if (member.type === "VariableDeclarator") continue;
    if (member.type !== "MemberExpression" || member.object !== identifier) return false;
    starts ||= keyOf(member) === "listen";
  }
  return starts;
}
