import type { Build } from "./simulation.ts";

/** The ways to build the services that are compared. */
export const BUILDS: Readonly<Record<string, Build>> = {
  plain: { hasContext: false },
  "ours: deadlines": { hasContext: true },
  "ours: deadlines, a pool of others": { hasContext: true, isForeignPool: true },
  "ours: admission adaptive": { hasContext: true, admission: "adaptive" },
  "ours: admission adaptive, a pool of others": { hasContext: true, isForeignPool: true, admission: "adaptive" },
  "ours: retries with a budget": { hasContext: true, admission: "adaptive", retry: true },
  "ours: retries without a budget": { hasContext: true, admission: "adaptive", retry: { budget: "none" } },
};
