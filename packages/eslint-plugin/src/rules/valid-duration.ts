import type { CreateOnceRule } from "@oxlint/plugins";

import { keyOf, type Node, ourCall, unwrap } from "../origin.ts";
import { createRule } from "../rule.ts";

const GRAMMAR = /^\d{1,16}(?:\.\d{1,9})?(?:ms|[smhd])$/;

/** The argument of each function that is a duration. */
const ARGUMENTS: Record<string, number> = { sleep: 1, withTimeout: 1 };

/** Functions whose options contain durations, and the names of these. */
const OPTIONS = new Set([
  "createFetch",
  "drain",
  "hedge",
  "requestContext",
  "retry",
  "serverInterceptor",
  "streamContext",
]);
const DURATIONS = new Set([
  "attemptTimeout",
  "defaultTimeout",
  "firstByteTimeout",
  "idleTimeout",
  "maxTimeout",
  "minBudget",
  "shutdownTimeout",
  "timeout",
]);

const UNITS: Record<string, string> = {
  ...unit("ms", "millis milliseconds msec"),
  ...unit("s", "sec second seconds secs"),
  ...unit("m", "min mins minute minutes"),
  ...unit("h", "hour hours hr hrs"),
  ...unit("d", "day days"),
};

function unit(name: string, spellings: string): Record<string, string> {
  return Object.fromEntries([name, ...spellings.split(" ")].map((each) => [each, name]));
}

export const validDuration: CreateOnceRule = createRule({
  description: "Require durations that can be parsed",
  messages: {
    invalid:
      '"{{value}}" is no duration and throws a RangeError. Write milliseconds, or "250ms", "2s", "1m", "1h", "1d".',
    replace: 'Write "{{value}}".',
  },
  hasSuggestions: true,
  create(context) {
    return {
      CallExpression(node) {
        if (node.arguments.length === 0) return;
        const name = ourCall(context.sourceCode, node);
        if (name === undefined) return;
        const index = ARGUMENTS[name];
        if (index !== undefined && node.arguments[index] !== undefined) check(node.arguments[index]);
        if (!OPTIONS.has(name)) return;
        for (const argument of node.arguments) {
          if (argument.type !== "ObjectExpression") continue;
          for (const each of argument.properties) {
            if (each.type === "Property" && DURATIONS.has(keyOf(each) ?? "")) check(each.value);
          }
        }
      },
    };

    function check(expression: Node): void {
      const node = unwrap(expression);
      if (node.type !== "Literal" || typeof node.value !== "string" || GRAMMAR.test(node.value)) return;
      const { value } = node;
      const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(value) ?? [];
      const known = unit && UNITS[unit.toLowerCase()];
      const fixed = `${amount}${known}`;
      context.report({
        node,
        messageId: "invalid",
        data: { value },
        suggest: known
          ? [
              {
                messageId: "replace",
                data: { value: fixed },
                fix: (fixer) => fixer.replaceText(node, JSON.stringify(fixed)),
              },
            ]
          : [],
      });
    }
  },
});
