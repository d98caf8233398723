import type { CreateOnceRule, ESTree } from "@oxlint/plugins";

import { contextAtHand, isRoot } from "../contexts.ts";
import { ourName, parentOf } from "../origin.ts";
import { createRule } from "../rule.ts";

export const noBackground: CreateOnceRule = createRule({
  description: "Disallow background and todo where a Context is at hand",
  messages: {
    root: "'{{root}}' never ends. Use '{{ctx}}', or withoutCancel({{ctx}}) for work that outlives it.",
    use: "Replace with '{{ctx}}'.",
  },
  hasSuggestions: true,
  create(context) {
    const check = (node: ESTree.Node): void => {
      const source = context.sourceCode;
      const call = parentOf(node);
      if (call?.type !== "CallExpression" || call.arguments[0] !== (node as ESTree.Argument)) return;
      if (!isRoot(source, node)) return;
      const ctx = contextAtHand(source, node)?.name;
      if (ctx === undefined) return;
      context.report({
        node,
        messageId: "root",
        data: { ctx, root: ourName(source, node)! },
        suggest: [{ messageId: "use", data: { ctx }, fix: (fixer) => fixer.replaceText(node, ctx) }],
      });
    };
    return { Identifier: check, MemberExpression: check };
  },
});
