export const FRAMEWORKS = ["express", "koa", "hono", "nest"] as const;
export const LANGUAGES = ["typescript", "javascript"] as const;

export type Framework = (typeof FRAMEWORKS)[number];
export type Language = (typeof LANGUAGES)[number];

/** What kind of service to create. */
export interface ServiceOptions {
  /** @default "express" */
  framework?: Framework;
  /** Nest needs TypeScript, because of its decorators. @default "typescript" */
  language?: Language;
}
