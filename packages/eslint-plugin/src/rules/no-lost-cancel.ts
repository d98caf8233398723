import type { CreateOnceRule, ESTree, SourceCode, Suggestion, Variable } from "@oxlint/plugins";

import { isPair } from "../contexts.ts";
import { functionAround, type Node, ourCall, parentOf, unwrap } from "../origin.ts";
import { createRule } from "../rule.ts";

export const noLostCancel: CreateOnceRule = createRule({
  description: "Require that the cancel function of a derived Context is used",
  messages: {
    unused:
      "The cancel function is not used, so what listens to the Context stays until its deadline or its parent ends it.",
    discarded: "The Context and its cancel function are discarded.",
    release: "Cancel at the end of the block with 'using'.",
  },
  hasSuggestions: true,
  create(context) {
    return {
      CallExpression(node) {
        const source = context.sourceCode;
        if (!isPair(source, node)) return;
        let outer: Node = node;
        while (parentOf(outer) !== null && unwrap(parentOf(outer)!) === node) outer = parentOf(outer)!;
        const parent = parentOf(outer)!;
        if (parent.type === "ExpressionStatement") return context.report({ node, messageId: "discarded" });
        if (parent.type === "MemberExpression" && parent.object === outer) {
          // `withTimeout(...)[0]` ends at its deadline; nothing else can end `withCancel(...)[0]`.
          const { property } = parent;
          const isFirst = property.type === "Literal" && property.value === 0;
          if (isFirst && ourCall(source, node) === "withCancel") context.report({ node, messageId: "unused" });
          return;
        }
        if (parent.type !== "VariableDeclarator" || parent.id.type !== "ArrayPattern") return;
        const [ctx, cancel] = parent.id.elements;
        if (cancel === undefined || cancel === null) {
          const name = variableNamed(source, node, "cancel") ? undefined : "cancel";
          context.report({
            node: parent.id,
            messageId: "unused",
            suggest:
              name === undefined || ctx?.type !== "Identifier" ? [] : suggest(parent, name, `[${ctx.name}, ${name}]`),
          });
          return;
        }
        if (cancel.type !== "Identifier") return;
        const variable = source.getDeclaredVariables(parent).find((each) => each.name === cancel.name);
        if (variable === undefined || isUsed(variable)) return;
        context.report({ node: cancel, messageId: "unused", suggest: suggest(parent, cancel.name) });
      },
    };
  },
});

/** Suggests `using _ = cancel`, inside of functions only: a module ends before the work that it starts. */
function suggest(declarator: ESTree.VariableDeclarator, name: string, pattern?: string): Suggestion[] {
  const declaration = parentOf(declarator);
  if (declaration?.type !== "VariableDeclaration" || declaration.declarations.length !== 1) return [];
  if (parentOf(declaration)?.type !== "BlockStatement" || functionAround(declarator) === undefined) return [];
  return [
    {
      messageId: "release",
      fix: (fixer) => [
        ...(pattern === undefined ? [] : [fixer.replaceText(declarator.id, pattern)]),
        fixer.insertTextAfter(declaration, ` using _${name} = ${name};`),
      ],
    },
  ];
}

function variableNamed(source: SourceCode, node: Node, name: string): boolean {
  for (let scope: ReturnType<SourceCode["getScope"]> | null = source.getScope(node); scope; scope = scope.upper) {
    if (scope.set.has(name)) return true;
  }
  return false;
}

function isUsed(variable: Variable): boolean {
  return variable.references.some((each) => each.isRead()) || variable.name.startsWith("_");
}
