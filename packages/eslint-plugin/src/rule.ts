import type { Context, CreateOnceRule, RuleMeta, VisitorWithHooks } from "@oxlint/plugins";

interface Definition {
  readonly type?: RuleMeta["type"];
  readonly description: string;
  readonly messages: Record<string, string>;
  readonly hasSuggestions?: boolean;
  readonly schema?: RuleMeta["schema"];
  readonly defaultOptions?: NonNullable<RuleMeta["defaultOptions"]>;
  readonly create: (context: Context) => VisitorWithHooks;
}

/** A rule for ESLint and oxlint. `create` is called once for all files, so only visitors can read `context.options`. */
export function createRule({
  create,
  description,
  type = "problem",
  schema = [],
  ...meta
}: Definition): CreateOnceRule {
  return { meta: { type, docs: { description }, schema, ...meta }, createOnce: create };
}
