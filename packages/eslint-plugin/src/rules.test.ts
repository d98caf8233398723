import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

import { RuleTester as EslintTester9 } from "eslint9";
import { RuleTester as EslintTester10 } from "eslint10";
import { RuleTester as OxlintTester } from "oxlint/plugins-dev";
import { describe, expect, it } from "vitest";

import { plugin, type Rule } from "./plugin.ts";

// typescript-eslint needs TypeScript 6, which this package has; `ts-api-utils` beside the other packages finds theirs.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "typescript" && context.parentURL?.includes("/ts-api-utils/")
      ? { url: pathToFileURL(createRequire(import.meta.url).resolve("typescript")).href, shortCircuit: true }
      : next(specifier, context),
});
const typescript = await import("@typescript-eslint/parser");

interface Invalid {
  readonly code: string;
  readonly messageIds: readonly string[];
  /** The code after the suggestion of the only error. */
  readonly suggestion?: string;
  readonly options?: readonly Record<string, unknown>[];
  /** Code in TypeScript, which ESLint's own parser does not read. */
  readonly ts?: true;
}

interface Valid {
  readonly code: string;
  readonly options?: readonly Record<string, unknown>[];
  readonly ts?: true;
  readonly filename?: string;
}

interface Cases {
  readonly valid: readonly (string | Valid)[];
  readonly invalid: readonly Invalid[];
}

const IMPORT = 'import { background, bind, current, run, withCancel, withTimeout } from "@throughline/context";\n';

const cases: Record<string, Cases> = {
  "bind-listener": {
    valid: [
      `${IMPORT}function f(queue) { queue.on("job", bind(current(), () => log(current()))); }`,
      `${IMPORT}function f(queue) { const ctx = current(); queue.on("job", () => log(ctx)); }`,
      `${IMPORT}function f(queue) { queue.on("job", () => run(ctx, () => current())); }`,
      `${IMPORT}app.get("/", (req, res) => { req.on("end", () => log(current())); res.once("close", () => current()); });`,
      `${IMPORT}emitter.on("start", () => log(current()));`,
      `${IMPORT}function listen(server) { server.on("request", () => log(current())); }`,
      'import { current } from "elsewhere"; function f(queue) { queue.on("job", () => current()); }',
    ],
    invalid: [
      {
        code: `${IMPORT}function f(queue) { queue.on("job", () => log(current())); }`,
        messageIds: ["unbound"],
        suggestion: `${IMPORT}function f(queue) { queue.on("job", bind(current(), () => log(current()))); }`,
      },
      {
        code: 'const tl = require("@throughline/context"); function f(e) { e.once("x", function () { tl.current().err(); }); }',
        messageIds: ["unbound"],
      },
      {
        code: 'import { current as now } from "@throughline/context"; const f = (e) => e.addListener("x", () => now());',
        messageIds: ["unbound"],
      },
    ],
  },
  "consume-body": {
    valid: [
      "async function f() { const res = await fetch(url); if (!res.ok) return; return res.json(); }",
      "async function f() { const res = await fetch(url); log(res.status); await res.body?.cancel(); }",
      "async function f() { const res = await fetch(url); return res; }",
      'async function f() { await fetch(url, { method: "HEAD" }); }',
      "async function f() { const { status, body } = await fetch(url); use(status, body); }",
      "async function f(fetch) { await fetch(url); }",
      "async function f() { await fetch(url, options); }",
      "window.onload = async () => { await fetch(url); };",
    ],
    invalid: [
      {
        code: "async function f() { const res = await fetch(url); return res.ok; }",
        messageIds: ["unread"],
        suggestion: "async function f() { const res = await fetch(url); await res.body?.cancel(); return res.ok; }",
      },
      {
        code: "async function f() { await fetch(url); }",
        messageIds: ["unread"],
        suggestion: "async function f() { await (await fetch(url)).body?.cancel(); }",
      },
      { code: "async function f() { return (await fetch(url)).status; }", messageIds: ["unread"] },
      { code: "async function f() { const { status } = await fetch(url); return status; }", messageIds: ["unread"] },
      {
        code: 'import * as tl from "@throughline/fetch"; const call = tl.createFetch(); const f = async () => { const { ok } = await call(url); return ok; };',
        messageIds: ["unread"],
      },
    ],
  },
  "context-first": {
    valid: [
      `${IMPORT}async function load(ctx, id) { await run(ctx, work); }`,
      `${IMPORT}async function read(id, ctx = current()) { await run(ctx, work); }`,
      `${IMPORT}function pick(id, ctx) { return run(ctx, work); }`,
      `${IMPORT}router.get("/", async (id, ctx) => { await run(ctx, work); });`,
      "async function koa(next, ctx) { ctx.body = await next(); }",
      {
        ts: true,
        code: 'import type { Context } from "@throughline/context"; async function f(this: X, ctx: Context, id: string) {}',
      },
      { ts: true, code: 'import type { Context } from "koa"; async function f(id: string, ctx: Context) {}' },
    ],
    invalid: [
      { code: `${IMPORT}async function load(id, ctx) { await run(ctx, work); }`, messageIds: ["order"] },
      {
        ts: true,
        code: 'import type { Context as Ctx } from "@throughline/context"; class A { async load(id: string, ctx: Ctx) {} }',
        messageIds: ["order"],
      },
      {
        ts: true,
        code: 'import type * as tl from "@throughline/context"; const load = async (id: string, ctx: tl.Context) => {};',
        messageIds: ["order"],
      },
    ],
  },
  "middleware-order": {
    valid: [
      app("app.use(requestContext());", 'app.get("/", home);', "app.use(errorHandler());", "app.listen(1);"),
      app('app.get("/", home);', "app.listen(1);"),
      app("app.use(requestContext());", 'app.get("/", home);', "register(app);", "app.listen(1);"),
      app('app.get("port");', "app.use(requestContext());", 'app.get("/", home);', "app.use(errorHandler());"),
      // A route before it may answer without a Context, if others follow.
      app('app.get("/health", ok);', "app.use(requestContext());", 'app.get("/", home);', "app.use(errorHandler());"),
    ],
    invalid: [
      {
        code: app("app.use(requestContext());", "app.use(errorHandler());", 'app.get("/", home);'),
        messageIds: ["errorHandler"],
      },
      {
        code: app('app.get("/", home);', "app.use(requestContext());", "app.use(errorHandler());"),
        messageIds: ["requestContext"],
      },
      { code: app("app.use(requestContext());", 'app.get("/", home);', "app.listen(1);"), messageIds: ["missing"] },
      {
        code: 'const express = require("express"); const tl = require("@throughline/express"); const app = express(); app.use(tl.requestContext()); app.use(tl.errorHandler()); app.post("/", save);',
        messageIds: ["errorHandler"],
      },
    ],
  },
  "no-background": {
    valid: [
      `${IMPORT}const [ctx, cancel] = withTimeout(background, "1s");`,
      `${IMPORT}function start() { const [ctx, cancel] = withTimeout(background, "1s"); const other = withCancel(background); }`,
      `${IMPORT}function f() { let ctx; ctx = withTimeout(background, "1s"); }`,
      "function f(ctx) { g(background); }",
      `${IMPORT}function koa(ctx) { ctx.body = 1; run(background, work); }`,
    ],
    invalid: [
      {
        code: `${IMPORT}function f() { const ctx = current(); return withTimeout(background, "1s"); }`,
        messageIds: ["root"],
        suggestion: `${IMPORT}function f() { const ctx = current(); return withTimeout(ctx, "1s"); }`,
      },
      {
        code: `${IMPORT}function f(ctx) { run(ctx, a); setTimeout(() => run(background, b)); }`,
        messageIds: ["root"],
        suggestion: `${IMPORT}function f(ctx) { run(ctx, a); setTimeout(() => run(ctx, b)); }`,
      },
      {
        code: 'import * as tl from "@throughline/context"; function f() { const c = tl.current(); tl.run(tl.todo, work); }',
        messageIds: ["root"],
        suggestion:
          'import * as tl from "@throughline/context"; function f() { const c = tl.current(); tl.run(c, work); }',
      },
      {
        code: 'const { background: root, run } = require("@throughline/context"); function f(c) { run(c, a); run(root, b); }',
        messageIds: ["root"],
        suggestion:
          'const { background: root, run } = require("@throughline/context"); function f(c) { run(c, a); run(c, b); }',
      },
    ],
  },
  "no-bare-io": {
    valid: [
      server("fetch(url, { signal: current().signal });"),
      server("fetch(url, options);"),
      server("fetch(new Request(url, { signal }));"),
      server("const fetch = createFetch(); fetch(url);"),
      server("axios.get(url, { signal }); axios.post(url, body, options);"),
      server("http.request(options);"),
      'import express from "express"; await fetch(url);',
      "async function f() { await fetch(url); }",
      `import express from "express"; function f() { document.title = fetch(url); }`,
      'import express from "express"; import pg from "pg"; async function f() { const admin = new pg.Client(); await admin.query("select 1"); }',
      'import express from "express"; import { withContext } from "@throughline/drivers/pg"; import pg from "pg"; const pool = withContext(new pg.Pool()); const f = () => pool.query("select 1");',
      { code: "function f() { fetch(url, { signal }); }", options: [{ everywhere: true }] },
      { code: "function f() { fetch(url); }", filename: "page.tsx" },
    ],
    invalid: [
      { code: server("fetch(url);"), messageIds: ["client"] },
      { code: server('fetch(url, { method: "POST" });'), messageIds: ["client"] },
      { code: server("globalThis.fetch(url);"), messageIds: ["client"] },
      { code: server("axios(url); axios.post(url, body);"), messageIds: ["client", "client"] },
      { code: server("http.get(`http://${host}`, () => {});"), messageIds: ["client"] },
      { code: server("work(AbortSignal.timeout(5));"), messageIds: ["timeout"] },
      { code: "function f() { fetch(url); }", options: [{ everywhere: true }], messageIds: ["client"] },
      {
        code: 'const express = require("express"); const { Pool } = require("pg"); const pool = new Pool(); exports.f = () => pool.query("select 1");',
        messageIds: ["driver"],
      },
      {
        code: 'import Koa from "koa"; import * as mysql from "mysql2/promise"; const pool = mysql.createPool({}); const f = () => pool.execute("select 1");',
        messageIds: ["driver"],
      },
    ],
  },
  "no-context-in-loop": {
    valid: [
      `${IMPORT}for (const id of ids) { const [ctx, cancel] = withTimeout(parent, 1); cancel(); }`,
      `${IMPORT}for (const id of ids) { let [ctx, cancel] = withTimeout(parent, 1); [ctx, cancel] = withTimeout(ctx, 1); }`,
      `${IMPORT}let ctx = current(); for (const id of ids) { later(() => { ctx = withValue(ctx, key, id); }); }`,
      "for (const id of ids) ctx = withValue(ctx, key, id);",
    ],
    invalid: [
      {
        code: 'import { withValue } from "@throughline/context"; for (const id of ids) ctx = withValue(ctx, key, id); var ctx;',
        messageIds: ["grows"],
      },
      {
        code: `${IMPORT}let ctx = current(), cancel; while (true) { [ctx, cancel] = withTimeout(ctx, "1s"); cancel(); }`,
        messageIds: ["grows"],
      },
      {
        code: 'const tl = require("@throughline/context"); let c = tl.current(); do { c = tl.withValue(c, key, 1); } while (more);',
        messageIds: ["grows"],
      },
    ],
  },
  "no-lost-cancel": {
    valid: [
      `${IMPORT}function f() { const [ctx, cancel] = withTimeout(current(), "1s"); try { g(ctx); } finally { cancel(); } }`,
      `${IMPORT}function f() { const [ctx, cancel] = withTimeout(current(), "1s"); using _ = cancel; g(ctx); }`,
      `${IMPORT}const [ctx, cancel] = withCancel(current()); export { cancel };`,
      `${IMPORT}const pair = withCancel(current()); return_(pair);`,
      `${IMPORT}const ctx = withTimeout(current(), "1s")[0];`,
      `${IMPORT}const derive = () => withCancel(current());`,
      "const [ctx] = withTimeout(current(), 1);",
    ],
    invalid: [
      {
        code: `${IMPORT}function f() { const [ctx, cancel] = withTimeout(current(), "1s"); g(ctx); }`,
        messageIds: ["unused"],
        suggestion: `${IMPORT}function f() { const [ctx, cancel] = withTimeout(current(), "1s"); using _cancel = cancel; g(ctx); }`,
      },
      {
        code: `${IMPORT}function f() { const [ctx] = withCancel(current()); g(ctx); }`,
        messageIds: ["unused"],
        suggestion: `${IMPORT}function f() { const [ctx, cancel] = withCancel(current()); using _cancel = cancel; g(ctx); }`,
      },
      { code: `${IMPORT}const ctx = withCancel(current())[0];`, messageIds: ["unused"] },
      { code: `${IMPORT}withTimeout(current(), 1);`, messageIds: ["discarded"] },
      {
        code: 'const { withTimeout: limited } = require("@throughline/context"); const [ctx] = limited(parent, 1);',
        messageIds: ["unused"],
      },
      {
        code: 'import * as tl from "@throughline/context"; const [ctx, cancel] = tl.withTimeout(tl.current(), 1);',
        messageIds: ["unused"],
      },
    ],
  },
  "no-stored-context": {
    valid: [
      `${IMPORT}const [ctx, cancel] = withTimeout(background, "1m"); run(ctx, main);`,
      `${IMPORT}const contexts = new WeakMap(); function f(req) { contexts.set(req, current()); }`,
      `${IMPORT}function f() { const all = new Map(); all.set("a", current()); let ctx; ctx = current(); }`,
      `${IMPORT}class Job { constructor() { this.ctx = current(); } }`,
      "let last; function f(ctx) { last = ctx; }",
      { ts: true, code: 'import type { Context } from "@throughline/context"; class Job { ctx: Context; }' },
    ],
    invalid: [
      { code: `${IMPORT}let last; function f() { last = current(); }`, messageIds: ["module"] },
      {
        code: `${IMPORT}const all = new Map(); function f(id) { const ctx = current(); all.set(id, ctx); }`,
        messageIds: ["collection"],
      },
      { code: `${IMPORT}const state = {}; function f(id) { state.ctx = current(); }`, messageIds: ["field"] },
      {
        code: 'import * as tl from "@throughline/context"; class Job { static ctx = tl.current(); }',
        messageIds: ["field"],
      },
      {
        code: 'const { current: now } = require("@throughline/context"); class Job { constructor() { this.ctx = now(); } }',
        options: [{ fields: "all" }],
        messageIds: ["field"],
      },
      {
        ts: true,
        code: 'import { Context } from "@throughline/context"; class Job { constructor(private readonly ctx: Context) {} }',
        options: [{ fields: "all" }],
        messageIds: ["field"],
      },
    ],
  },
  "no-swallowed-end": {
    valid: [
      waiting("try { await sleep(ctx, 1); } catch (error) { log(error); } next();"),
      waiting("try { await sleep(ctx, 1); } catch {}"),
      waiting("try { await sleep(ctx, 1); } catch (error) { if (error instanceof ContextError) throw error; } next();"),
      waiting("while (true) { try { return await load(ctx); } catch { ctx.throwIfAborted(); } }"),
      waiting("while (true) { try { return await load(ctx); } catch { await sleep(ctx, 10); } }"),
      waiting("for (const id of ids) { try { await load(ctx, id); } catch (error) { log(error); } }"),
      waiting("try { await other(); } catch {} next();"),
    ],
    invalid: [
      { code: waiting("try { await sleep(ctx, 1); } catch {} next();"), messageIds: ["dropped"] },
      {
        code: waiting("while (true) { try { return await load(ctx); } catch (e) { log(e); } }"),
        messageIds: ["retried"],
      },
      {
        code: 'const tl = require("@throughline/resilience"); async function f(c) { try { await tl.retry(c, work); } catch {} next(); }',
        messageIds: ["dropped"],
      },
      {
        code: 'import { createFetch as make } from "@throughline/fetch"; const call = make(); async function f() { for (;;) { try { return await call(url); } catch (e) { log(e); } } }',
        messageIds: ["retried"],
      },
    ],
  },
  "valid-duration": {
    valid: [
      `${IMPORT}withTimeout(current(), "2s"); withTimeout(current(), 250); withTimeout(current(), limit);`,
      'import { requestContext } from "@throughline/koa"; requestContext({ maxTimeout: "1.5s", timeoutName: "a while" });',
      'withTimeout(ctx, "2 seconds");',
    ],
    invalid: [
      {
        code: `${IMPORT}withTimeout(current(), "2 seconds");`,
        messageIds: ["invalid"],
        suggestion: `${IMPORT}withTimeout(current(), "2s");`,
      },
      { code: `${IMPORT}withTimeout(current(), "2");`, messageIds: ["invalid"] },
      {
        code: 'const { requestContext: rc } = require("@throughline/express"); rc({ maxTimeout: "5min" });',
        messageIds: ["invalid"],
        suggestion: 'const { requestContext: rc } = require("@throughline/express"); rc({ maxTimeout: "5m" });',
      },
    ],
  },
};

function app(...lines: string[]): string {
  return [
    'import express from "express";',
    'import { errorHandler, requestContext } from "@throughline/express";',
    "const app = express();",
    ...lines,
  ].join("\n");
}

function server(body: string): string {
  return [
    'import http from "node:http";',
    'import { current } from "@throughline/context";',
    'import { createFetch } from "@throughline/fetch";',
    'import axios from "axios";',
    `export async function handle(url, body, options, signal, host) { ${body} }`,
  ].join("\n");
}

function waiting(body: string): string {
  return [
    'import { ContextError, current } from "@throughline/context";',
    'import { sleep } from "@throughline/resilience";',
    `export async function f(ids) { const ctx = current(); ${body} }`,
  ].join("\n");
}

type Tester = new (options: object) => { run(name: string, rule: never, tests: never): void };

const testers: Record<string, Tester> = {
  "ESLint 9": EslintTester9 as unknown as Tester,
  "ESLint 10": EslintTester10 as unknown as Tester,
  "ESLint 9, typescript-eslint": EslintTester9 as unknown as Tester,
  "ESLint 10, typescript-eslint": EslintTester10 as unknown as Tester,
  oxlint: OxlintTester as unknown as Tester,
};

it("has cases for every rule", () => {
  expect(Object.keys(cases).toSorted()).toEqual(Object.keys(plugin.rules).toSorted());
});

describe.each(Object.entries(testers))("%s", (host, Tester) => {
  Object.assign(Tester, { describe, it, itOnly: it });
  const isOxlint = host === "oxlint";
  const parser = host.includes("typescript-eslint") ? { parser: typescript } : {};
  const tester = new Tester({ languageOptions: { sourceType: "module", ...parser } });

  for (const [name, { valid, invalid }] of Object.entries(cases)) {
    const rule = plugin.rules[name] as Rule;
    const runs = ({ ts }: { ts?: true }): boolean => ts !== true || isOxlint || "parser" in parser;
    const language = (ts?: true): object =>
      ts === true && isOxlint ? { languageOptions: { sourceType: "module", parserOptions: { lang: "ts" } } } : {};
    tester.run(
      name,
      rule as never,
      {
        valid: valid
          .map((each) => (typeof each === "string" ? { code: each } : each))
          .filter(runs)
          .map(({ ts, ...each }) => ({ ...each, ...language(ts) })),
        invalid: invalid.filter(runs).map(({ ts, messageIds, suggestion, ...each }) => ({
          ...each,
          ...language(ts),
          errors: messageIds.map((messageId) => ({
            messageId,
            ...(suggestion === undefined
              ? {}
              : { suggestions: [{ messageId: suggestionOf(rule), output: suggestion }] }),
          })),
        })),
      } as never,
    );
  }
});

/** The message of a rule that no error has. */
function suggestionOf(rule: Rule): string {
  const { messages } = rule.meta as { messages: Record<string, string> };
  return Object.keys(messages).findLast((id) => ["bind", "cancel", "release", "replace", "use"].includes(id))!;
}
