import type { CreateOnceRule } from "@oxlint/plugins";

import { isContextVariable, plainParameter } from "../contexts.ts";
import { type FunctionNode, parentOf } from "../origin.ts";
import { createRule } from "../rule.ts";

export const contextFirst: CreateOnceRule = createRule({
  type: "suggestion",
  description: "Require that a Context is the first parameter of functions that wait",
  messages: {
    order:
      "A function that waits takes its Context first, as in Go. An optional one, as 'ctx = current()', may be last.",
  },
  create(context) {
    const check = (node: FunctionNode): void => {
      // Functions that wait; a function that only reads takes a Context last and optional.
      if (node.params.length < 2 || !node.async) return;
      // The function that calls a callback chooses its parameters.
      const parent = parentOf(node);
      const isNamed =
        node.type === "FunctionDeclaration" ||
        parent?.type === "VariableDeclarator" ||
        (parent?.type === "MethodDefinition" && parent.kind === "method" && !parent.override);
      if (!isNamed) return;
      const variables = context.sourceCode.getDeclaredVariables(node);
      const first = (node.params[0] as { name?: string }).name === "this" ? 1 : 0;
      const isContextAt = (index: number): boolean => {
        const parameter = plainParameter(node.params[index]!);
        const variable = variables.find((each) => each.identifiers[0] === (parameter as unknown));
        return variable !== undefined && isContextVariable(context.sourceCode, variable);
      };
      if (isContextAt(first)) return;
      for (let index = first + 1; index < node.params.length; index++) {
        const parameter = node.params[index]!;
        if (parameter.type === "AssignmentPattern" || (parameter as { optional?: boolean }).optional) continue;
        if (isContextAt(index)) context.report({ node: parameter, messageId: "order" });
      }
    };
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
  },
});
