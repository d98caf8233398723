import type { CreateOnceRule, ESTree } from "@oxlint/plugins";

import { isContext } from "../contexts.ts";
import { initializerOf, isFunction, keyOf, type Node, ourCall, ourName, parentOf, unwrap, visit } from "../origin.ts";
import { createRule } from "../rule.ts";

/** Functions that wait, and reject when their Context ends. */
const WAITS = new Set(["fanOut", "hedge", "lease", "query", "retry", "sleep", "transaction"]);

/** Names that show that a handler looks at the end of the Context. */
const LOOKS = new Set([
  "Canceled",
  "ContextError",
  "DeadlineExceeded",
  "aborted",
  "cause",
  "err",
  "isContextError",
  "remaining",
  "throwIfAborted",
]);

export const noSwallowedEnd: CreateOnceRule = createRule({
  description: "Disallow handlers that drop the end of a Context, or try again after it",
  messages: {
    dropped:
      "This handler also drops the end of the Context, and the code after it runs in vain. Rethrow a ContextError.",
    retried:
      "This loop goes on after the end of the Context. Use retry() of @throughline/resilience, or call throwIfAborted().",
  },
  create(context) {
    return {
      TryStatement(node) {
        const { handler, block, finalizer } = node;
        if (handler === null || finalizer !== null || !awaitsUnderContext(block)) return;
        if (handler.body.body.length === 0) {
          // Nothing follows, so nothing works on.
          if (!isLast(node)) context.report({ node: handler, messageId: "dropped" });
        } else if (isInLoop(node) && !leavesOrLooks(handler.body)) {
          context.report({ node: handler, messageId: "retried" });
        }
      },
    };

    function awaitsUnderContext(block: Node): boolean {
      let found = false;
      visit(context.sourceCode, block, (node) => {
        if (found || isFunction(node)) return false;
        if (node.type === "AwaitExpression") found = waits(unwrap(node.argument));
        return !found;
      });
      return found;
    }

    /** Whether a call rejects when a Context ends: one of ours, of `createFetch`, or one that is given a Context. */
    function waits(node: Node): boolean {
      const source = context.sourceCode;
      if (node.type !== "CallExpression") return false;
      const name = ourName(source, node.callee);
      if (name !== undefined) return WAITS.has(name);
      const created = initializerOf(source, node.callee);
      if (created !== undefined && ourCall(source, created) === "createFetch") return true;
      const first = node.arguments[0];
      return first !== undefined && first.type !== "SpreadElement" && isContext(source, first);
    }

    function leavesOrLooks(body: Node): boolean {
      let found = false;
      visit(context.sourceCode, body, (node) => {
        if (found || isFunction(node)) return false;
        switch (node.type) {
          case "ThrowStatement":
          case "ReturnStatement":
          case "BreakStatement":
            found = true;
            break;
          case "Identifier":
            found = LOOKS.has(node.name);
            break;
          case "MemberExpression":
            found = LOOKS.has(keyOf(node) ?? "");
            break;
          case "AwaitExpression":
            // It waits under the Context itself, and so ends with it.
            found = waits(unwrap(node.argument));
            break;
        }
        return !found;
      });
      return found;
    }
  },
});

/** Whether the statement is directly in the body of a loop. */
function isInLoop(node: Node): boolean {
  const block = parentOf(node);
  const loop = block?.type === "BlockStatement" ? parentOf(block) : block;
  // `for...of` goes on with the next item, which is no retry.
  return loop?.type === "WhileStatement" || loop?.type === "DoWhileStatement" || loop?.type === "ForStatement";
}

function isLast(node: Node): boolean {
  const block = parentOf(node);
  if (block?.type !== "BlockStatement") return false;
  const parent = parentOf(block);
  return block.body.at(-1) === (node as ESTree.Statement) && parent !== null && isFunction(parent);
}
