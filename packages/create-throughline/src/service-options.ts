export type Framework = "express" | "koa" | "hono" | "nest";
export type Language = "typescript" | "javascript";

/** What kind of service to create. */
export interface ServiceOptions {
  /** @default "express" */
  framework?: Framework;
  /** Nest needs TypeScript, because of its decorators. @default "typescript" */
  language?: Language;
}
