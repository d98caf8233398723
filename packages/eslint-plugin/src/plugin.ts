import { eslintCompatPlugin } from "@oxlint/plugins";

import { bindListener } from "./rules/bind-listener.ts";
import { consumeBody } from "./rules/consume-body.ts";
import { contextFirst } from "./rules/context-first.ts";
import { middlewareOrder } from "./rules/middleware-order.ts";
import { noBackground } from "./rules/no-background.ts";
import { noBareIo } from "./rules/no-bare-io.ts";
import { noContextInLoop } from "./rules/no-context-in-loop.ts";
import { noLostCancel } from "./rules/no-lost-cancel.ts";
import { noStoredContext } from "./rules/no-stored-context.ts";
import { noSwallowedEnd } from "./rules/no-swallowed-end.ts";
import { validDuration } from "./rules/valid-duration.ts";

/** A rule, as ESLint and oxlint load it. */
export interface Rule {
  readonly meta?: object;
  // The parameter of the host: ESLint and oxlint each declare their own.
  create(context: never): object;
}

type Severity = "error" | "warn" | ["error", Record<string, unknown>];

/** A flat configuration of ESLint. */
export interface Config {
  readonly name: string;
  readonly plugins: Record<string, Plugin>;
  readonly rules: Record<string, Severity>;
}

export interface Plugin {
  readonly meta: { readonly name: string; readonly version: string; readonly namespace: string };
  readonly rules: Record<string, Rule>;
  readonly configs: { readonly recommended: Config; readonly strict: Config };
}

const rules = {
  "bind-listener": bindListener,
  "consume-body": consumeBody,
  "context-first": contextFirst,
  "middleware-order": middlewareOrder,
  "no-background": noBackground,
  "no-bare-io": noBareIo,
  "no-context-in-loop": noContextInLoop,
  "no-lost-cancel": noLostCancel,
  "no-stored-context": noStoredContext,
  "no-swallowed-end": noSwallowedEnd,
  "valid-duration": validDuration,
};

const PAGES = "https://github.com/throughline-js/throughline/blob/main/packages/eslint-plugin/docs";

// Editors link the name of a rule to its page.
for (const [name, { meta }] of Object.entries(rules)) Object.assign(meta!.docs!, { url: `${PAGES}/${name}.md` });

const recommended: Record<string, Severity> = {
  "throughline/bind-listener": "error",
  "throughline/consume-body": "warn",
  "throughline/middleware-order": "error",
  "throughline/no-background": "error",
  "throughline/no-bare-io": "warn",
  "throughline/no-context-in-loop": "error",
  // A forgotten Context is collected when nothing listens to it, so this is no leak of memory.
  "throughline/no-lost-cancel": "warn",
  "throughline/no-stored-context": "error",
  "throughline/no-swallowed-end": "error",
  "throughline/valid-duration": "error",
};

const strict: Record<string, Severity> = {
  ...Object.fromEntries(Object.keys(recommended).map((name) => [name, "error" as const])),
  "throughline/context-first": "error",
  "throughline/no-bare-io": ["error", { everywhere: true }],
  "throughline/no-stored-context": ["error", { fields: "all" }],
};

const compatible = eslintCompatPlugin({ meta: { name: "throughline" }, rules });

/** The plugin: rules, and the configurations `recommended` and `strict` for ESLint's flat configuration. */
export const plugin: Plugin = {
  meta: { name: "throughline", version: "0.1.0", namespace: "throughline" },
  rules: compatible.rules as unknown as Record<string, Rule>,
  configs: {
    recommended: {
      name: "throughline/recommended",
      get plugins() {
        return { throughline: plugin };
      },
      rules: recommended,
    },
    strict: {
      name: "throughline/strict",
      get plugins() {
        return { throughline: plugin };
      },
      rules: strict,
    },
  },
};
