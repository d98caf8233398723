import type { CreateOnceRule, ESTree, SourceCode, Variable } from "@oxlint/plugins";

import {
  initializerOf,
  isForBrowser,
  isGlobal,
  keyOf,
  type Node,
  originOf,
  ourCall,
  parentOf,
  unwrap,
} from "../origin.ts";
import { createRule } from "../rule.ts";

/** Members of a response that leave its body unread. */
const HEAD = new Set(["headers", "ok", "redirected", "status", "statusText", "type", "url"]);

export const consumeBody: CreateOnceRule = createRule({
  description: "Require that the body of a response is read or canceled",
  messages: {
    unread:
      "The body of this response is neither read nor canceled, so its connection stays busy until garbage collection.",
    cancel: "Cancel the body.",
  },
  hasSuggestions: true,
  create(context) {
    return {
      // A browser needs no help to free its connections.
      before: () => !isForBrowser(context),
      AwaitExpression(node) {
        const source = context.sourceCode;
        if (!isFetch(source, unwrap(node.argument))) return;
        const parent = parentOf(node)!;
        if (parent.type === "ExpressionStatement") {
          context.report({
            node,
            messageId: "unread",
            suggest: [
              {
                messageId: "cancel",
                fix: (fixer) => [
                  fixer.insertTextBefore(node, "await ("),
                  fixer.insertTextAfter(node, ").body?.cancel()"),
                ],
              },
            ],
          });
        } else if (parent.type === "MemberExpression" && parent.object === node) {
          if (HEAD.has(keyOf(parent) ?? "")) context.report({ node, messageId: "unread" });
        } else if (parent.type === "VariableDeclarator") {
          checkDeclarator(parent);
        }
      },
    };

    function checkDeclarator(node: ESTree.VariableDeclarator): void {
      const { id } = node;
      if (id.type === "ObjectPattern") {
        const headOnly = id.properties.every((each) => each.type === "Property" && HEAD.has(keyOf(each) ?? ""));
        if (headOnly) context.report({ node: id, messageId: "unread" });
        return;
      }
      if (id.type !== "Identifier") return;
      const variable = context.sourceCode.getDeclaredVariables(node)[0];
      if (variable === undefined || !readsHeadOnly(variable)) return;
      const declaration = parentOf(node)!;
      const single = declaration.type === "VariableDeclaration" && declaration.declarations.length === 1;
      context.report({
        node: id,
        messageId: "unread",
        suggest: single
          ? [
              {
                messageId: "cancel",
                fix: (fixer) => fixer.insertTextAfter(declaration, ` await ${id.name}.body?.cancel();`),
              },
            ]
          : [],
      });
    }
  },
});

function readsHeadOnly(variable: Variable): boolean {
  return variable.references.every((each) => {
    if (each.init) return true;
    const identifier = each.identifier as Node;
    const parent = parentOf(identifier)!;
    return parent.type === "MemberExpression" && parent.object === identifier && HEAD.has(keyOf(parent) ?? "");
  });
}

/** Whether a call is one of `fetch`: global, of undici, of node-fetch, or made by `createFetch`. HEAD has no body. */
function isFetch(source: SourceCode, node: Node): boolean {
  if (node.type !== "CallExpression") return false;
  const options = node.arguments[1];
  if (options?.type === "ObjectExpression") {
    const method = options.properties.find((each) => each.type === "Property" && keyOf(each) === "method");
    const value = method?.type === "Property" ? method.value : undefined;
    if (value !== undefined && (value.type !== "Literal" || /^head$/i.test(String(value.value)))) return false;
    if (options.properties.some((each) => each.type === "SpreadElement")) return false;
  } else if (options !== undefined) {
    return false;
  }
  const callee = unwrap(node.callee);
  if (isGlobal(source, callee, "fetch")) return true;
  const origin = originOf(source, callee);
  if (origin?.module === "undici") return origin.name === "fetch";
  if (origin?.module === "node-fetch") return origin.name === "default" || origin.name === "*";
  const created = initializerOf(source, callee);
  return created !== undefined && ourCall(source, created) === "createFetch";
}
