import type { CreateOnceRule, ESTree } from "@oxlint/plugins";

import { functionAround, isFunction, keyOf, type Node, ourCall, ourName, variableOf, visit } from "../origin.ts";
import { createRule } from "../rule.ts";

const REGISTER = new Set(["addEventListener", "addListener", "on", "once", "prependListener", "prependOnceListener"]);

/** Parameters of handlers: request, response, and both in gRPC. Their listeners run in the Context of the request. */
const BOUND = /^(?:call|req|request|res|response)$/i;

export const bindListener: CreateOnceRule = createRule({
  description: "Require bind for listeners that use the current Context",
  messages: {
    unbound:
      "A listener runs in the Context of the code that emits, not in that of this request. Wrap it: bind(current(), ...).",
    bind: "Wrap with bind().",
  },
  hasSuggestions: true,
  create(context) {
    return {
      CallExpression(node) {
        const { callee } = node;
        if (callee.type !== "MemberExpression" || !REGISTER.has(keyOf(callee) ?? "")) return;
        const listener = node.arguments[1] as Node | undefined;
        if (listener === undefined || !isFunction(listener) || functionAround(node) === undefined) return;
        const emitter = callee.object as Node;
        if (isBound(emitter) || isProgramWide(emitter)) return;
        const call = currentIn(listener.body as Node);
        if (call === undefined) return;
        const current = context.sourceCode.getText(call);
        const bind = nameOfBind(listener);
        context.report({
          node: call,
          messageId: "unbound",
          suggest:
            bind === undefined
              ? []
              : [
                  {
                    messageId: "bind",
                    fix: (fixer) => [
                      fixer.insertTextBefore(listener, `${bind}(${current}, `),
                      fixer.insertTextAfter(listener, ")"),
                    ],
                  },
                ],
        });
      },
    };

    function isBound(emitter: Node): boolean {
      if (emitter.type === "MemberExpression")
        return BOUND.test(keyOf(emitter) ?? "") || isBound(emitter.object as Node);
      if (emitter.type !== "Identifier" || !BOUND.test(emitter.name)) return false;
      const definition = variableOf(context.sourceCode, emitter)?.defs[0];
      return definition?.type === "Parameter";
    }

    /** Servers and the process: their listeners start work of their own, and belong to no request. */
    function isProgramWide(emitter: Node): boolean {
      return emitter.type === "Identifier" && /^(?:process|server|app|wss?|io)$|server$/i.test(emitter.name);
    }

    /** A call of `current` in the listener. Functions that are passed to `run` or `bind` have a Context of their own. */
    function currentIn(body: Node): ESTree.CallExpression | undefined {
      let found: ESTree.CallExpression | undefined;
      visit(context.sourceCode, body, (node) => {
        if (found !== undefined) return false;
        const name = ourCall(context.sourceCode, node);
        if (name === "current") found = node as ESTree.CallExpression;
        return !(name === "run" || name === "bind" || name === "afterFunc" || node.type.startsWith("TS"));
      });
      return found;
    }

    function nameOfBind(node: Node): string | undefined {
      const { sourceCode } = context;
      for (
        let scope: ReturnType<typeof sourceCode.getScope> | null = sourceCode.getScope(node);
        scope;
        scope = scope.upper
      ) {
        for (const variable of scope.variables) {
          const identifier = variable.identifiers[0] as Node | undefined;
          if (identifier && ourName(sourceCode, identifier) === "bind") return variable.name;
        }
      }
      return undefined;
    }
  },
});
