import type { CreateOnceRule, ESTree } from "@oxlint/plugins";

import { isContext, isPair } from "../contexts.ts";
import { contains, isFunction, type Node, parentOf, unwrap, variableOf } from "../origin.ts";
import { createRule } from "../rule.ts";

export const noContextInLoop: CreateOnceRule = createRule({
  description: "Disallow a Context that grows with each iteration of a loop",
  messages: {
    grows:
      "'{{name}}' is derived from itself, one level deeper with each iteration. Declare a variable inside of the loop.",
  },
  create(context) {
    return {
      AssignmentExpression({ left, right }) {
        const source = context.sourceCode;
        const call = unwrap(right);
        if (call.type !== "CallExpression" || !(isPair(source, call) || isContext(source, call))) return;
        const target = left.type === "ArrayPattern" ? (left.elements[0] as Node | null | undefined) : (left as Node);
        const parent = call.arguments[0];
        if (target?.type !== "Identifier" || parent?.type !== "Identifier" || parent.name !== target.name) return;
        const loop = loopAround(target);
        const declaration = variableOf(source, target)?.defs[0]?.node;
        if (loop === undefined || declaration === undefined || contains(loop, declaration)) return;
        context.report({ node: target, messageId: "grows", data: { name: target.name } });
      },
    };
  },
});

/** The body of the innermost loop around a node, in the same function. */
function loopAround(node: Node): Node | undefined {
  for (let each = node; ;) {
    const parent = parentOf(each);
    if (parent === null || isFunction(parent)) return undefined;
    if (isLoop(parent) && parent.body === (each as ESTree.Statement)) return each;
    each = parent;
  }
}

function isLoop(
  node: Node,
): node is
  | ESTree.ForStatement
  | ESTree.ForInStatement
  | ESTree.ForOfStatement
  | ESTree.WhileStatement
  | ESTree.DoWhileStatement {
  return /^(?:For(?:In|Of)?|While|DoWhile)Statement$/.test(node.type);
}
