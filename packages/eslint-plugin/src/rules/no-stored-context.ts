import type { CreateOnceRule, ESTree } from "@oxlint/plugins";

import { hasContextType, isContext } from "../contexts.ts";
import { functionAround, initializerOf, keyOf, type Node, variableOf } from "../origin.ts";
import { createRule } from "../rule.ts";

const ADDERS = new Set(["add", "push", "set", "unshift"]);

export const noStoredContext: CreateOnceRule = createRule({
  description: "Disallow Contexts in fields, module variables and shared collections",
  messages: {
    field: "A Context is stored in the field '{{name}}', where it outlives its request. Pass it as an argument.",
    module: "A Context is stored in '{{name}}', which all requests share. Pass it as an argument, or call current().",
    collection: "A Context is stored in '{{name}}', which outlives its request. Store the values that are needed.",
  },
  schema: [{ type: "object", properties: { fields: { enum: ["shared", "all"] } }, additionalProperties: false }],
  defaultOptions: [{ fields: "shared" }],
  create(context) {
    const allFields = (): boolean => (context.options[0] as { fields?: string } | undefined)?.fields === "all";
    return {
      AssignmentExpression({ left, right }) {
        const source = context.sourceCode;
        if (!isContext(source, right)) return;
        if (left.type === "MemberExpression") {
          const name = keyOf(left) ?? "[computed]";
          const { object } = left as { object: Node };
          if (object.type === "ThisExpression" ? allFields() : isShared(object)) {
            context.report({ node: left, messageId: "field", data: { name } });
          }
        } else if (left.type === "Identifier" && functionAround(left) !== undefined && isShared(left)) {
          context.report({ node: left, messageId: "module", data: { name: left.name } });
        }
      },
      PropertyDefinition(node) {
        const source = context.sourceCode;
        const isStored = (node.value !== null && isContext(source, node.value)) || hasContextType(source, node);
        if (isStored && (node.static || allFields())) report(node);
      },
      TSParameterProperty(node) {
        if (allFields() && hasContextType(context.sourceCode, node.parameter)) {
          const { parameter } = node;
          context.report({
            node,
            messageId: "field",
            data: { name: parameter.type === "Identifier" ? parameter.name : "" },
          });
        }
      },
      CallExpression({ callee, arguments: args }) {
        if (callee.type !== "MemberExpression" || !ADDERS.has(keyOf(callee) ?? "")) return;
        const stored = args.at(-1);
        if (stored === undefined || !isShared(callee.object) || functionAround(callee) === undefined) return;
        if (!isContext(context.sourceCode, stored)) return;
        const name = callee.object.type === "Identifier" ? callee.object.name : "";
        context.report({ node: stored, messageId: "collection", data: { name } });
      },
    };

    function report(node: ESTree.PropertyDefinition): void {
      context.report({ node, messageId: "field", data: { name: keyOf(node) ?? "" } });
    }

    /** Whether a variable belongs to the module, so that all requests share it. */
    function isShared(node: Node): boolean {
      const scope = variableOf(context.sourceCode, node)?.scope;
      if (scope?.type !== "module" && scope?.type !== "global") return false;
      const initializer = initializerOf(context.sourceCode, node);
      // An entry of a WeakMap lives as long as its key, which is the request.
      return !(
        initializer?.type === "NewExpression" &&
        initializer.callee.type === "Identifier" &&
        initializer.callee.name.startsWith("Weak")
      );
    }
  },
});
