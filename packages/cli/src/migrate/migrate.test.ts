import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { typescript } from "@throughline/test/support/typescript.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { migrate, type MigrateOptions, type Migration } from "./migrate.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "throughline-migrate-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Migrates a project. Returns its files, and the refusals with paths relative to it. */
function migrated(
  library: string,
  files: Record<string, string>,
  options: MigrateOptions = {},
): { files: Record<string, string>; refusals: string[]; result: Migration } {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const result = migrate(library, [folder], options);
  const names = readdirSync(folder, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
  return {
    files: Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")])),
    refusals: result.refusals.map(({ where, message }) => `${where.replace(`${folder}/`, "")}: ${message}`),
    result,
  };
}

/** The only file of a project after a migration without refusals. */
function rewritten(library: string, name: string, text: string): string {
  const { files, refusals } = migrated(library, { [name]: text });
  expect(refusals).toEqual([]);
  return files[name]!;
}

describe("cls-rtracer", () => {
  it("in CommonJS: the middleware, its options and the id are rewritten, and the rest keeps its format", () => {
    const text = `'use strict'

const express = require('express')
const rTracer = require('cls-rtracer')
const { createLogger } = require('./logger')

const app = express()

// ids for logs
app.use(rTracer.expressMiddleware({ useHeader: true, headerName: 'X-Correlation-Id' }))

app.get('/', (req, res) => res.json({ id: rTracer.id(),   odd:   1 }))
`;
    expect(rewritten("cls-rtracer", "app.js", text)).toBe(`'use strict'

const express = require('express')
const { requestContext } = require('@throughline/express')
const { requestId } = require('@throughline/http')
const { createLogger } = require('./logger')

const app = express()

// ids for logs
app.use(requestContext({ requestIdHeader: 'x-correlation-id' }))

app.get('/', (req, res) => res.json({ id: requestId(),   odd:   1 }))
`);
  });

  it.each([
    ["a default import", 'import rTracer from "cls-rtracer";', "rTracer.id()"],
    ["a namespace", 'import * as rTracer from "cls-rtracer";', "rTracer.id()"],
    ["a named import", 'import { id } from "cls-rtracer";', "id()"],
    ["a renamed import", 'import { id as trace } from "cls-rtracer";', "trace()"],
    ["an import of TypeScript", 'import rTracer = require("cls-rtracer");', "rTracer.id()"],
    ["optional chaining", 'import rTracer from "cls-rtracer";', "rTracer?.id()"],
  ])("%s is understood", (_what, statement, use) => {
    const name = statement.includes("= require") ? "log.ts" : "log.mts";
    expect(rewritten("cls-rtracer", name, `${statement}\nexport const trace1 = (): unknown => ${use};\n`)).toBe(
      'import { requestId } from "@throughline/http";\nexport const trace1 = (): unknown => requestId();\n',
    );
  });

  it("destructuring with require is understood", () => {
    const text = "const { id, koaMiddleware: tracer } = require('cls-rtracer');\napp.use(tracer());\nlog(id());\n";
    expect(rewritten("cls-rtracer", "app.cjs", text)).toBe(
      "const { requestId } = require('@throughline/http');\nconst { requestContext } = require('@throughline/koa');\n" +
        "app.use(requestContext());\nlog(requestId());\n",
    );
  });

  it("the plugin for Fastify is rewritten, with and without options", () => {
    const text = (first: string, second: string, head: string): string =>
      `${head}\nawait app.register(${first});\nawait other.register(${second});\n`;
    expect(
      rewritten(
        "cls-rtracer",
        "app.mjs",
        text(
          "rTracer.fastifyPlugin",
          "rTracer.fastifyPlugin, { useHeader: true, echoHeader: true }",
          'import rTracer from "cls-rtracer";',
        ),
      ),
    ).toBe(
      text(
        "requestContext",
        'requestContext, { requestIdHeader: "x-request-id" }',
        'import { requestContext } from "@throughline/fastify";',
      ),
    );
  });

  it.each([
    ["rTracer.expressMiddleware({ requestIdFactory: () => 7 })", "the option 'requestIdFactory' has no counterpart"],
    ["rTracer.expressMiddleware({ ...options })", "the option '...' has no counterpart"],
    ["rTracer.expressMiddleware(options)", "the options must be an object literal"],
    ["rTracer.expressMiddleware({ echoHeader: true })", "echoHeader without useHeader has no counterpart"],
    ["rTracer.runWithId(() => {})", "'runWithId' cannot be rewritten here"],
    ["server.register(rTracer.hapiPlugin)", "'hapiPlugin' cannot be rewritten here"],
    ["logger({ mixin: rTracer.id })", "'id' cannot be rewritten here"],
    ["trace(rTracer)", "'rTracer' is passed on as a value"],
    ["rTracer[name]()", "'rTracer' is passed on as a value"],
    ["function f(rTracer) { return rTracer.id(); }", "the name 'rTracer' is declared more than once"],
    ["const requestId = rTracer.id()", "it needs the name 'requestId' of @throughline/http"],
  ])("refuses %s, with its line", (line, message) => {
    const { refusals, files, result } = migrated("cls-rtracer", {
      "app.mjs": `import rTracer from "cls-rtracer";\n\n${line};\n`,
    });
    expect(refusals[0]).toMatch(/^app\.mjs:3: /);
    expect(refusals[0]).toContain(message);
    expect(files["app.mjs"]).toContain(line);
    expect(result.written).toEqual([]);
  });

  it.each([
    ["export * from 'cls-rtracer'", "it passes cls-rtracer on"],
    ["const a = 1, rTracer = require('cls-rtracer')", "require must be the only declaration"],
    ["require('cls-rtracer').id()", "require must be the only declaration"],
    ["function f() { const t = require('cls-rtracer'); }", "require must be at the top of the file"],
    ["jest.mock('cls-rtracer')", "it names cls-rtracer, as a mock does"],
    [
      "const t = require('cls-rtracer'); a.use(t.expressMiddleware()); b.use(t.koaMiddleware())",
      "it needs 'requestContext' of @throughline/koa and of @throughline/express",
    ],
    [
      "const { id } = require('cls-rtracer'); function f() { const { id } = require('uuid'); }",
      "the name 'id' is declared more than once",
    ],
    ["const = 'cls-rtracer'", "it cannot be parsed"],
  ])("refuses %s", (line, message) => {
    expect(migrated("cls-rtracer", { "app.js": line }).refusals[0]).toContain(`app.js:1: ${message}`);
  });

  it("uses an import that is already there", () => {
    const text =
      'import { requestId } from "@throughline/http";\nimport rTracer from "cls-rtracer";\nlog(rTracer.id());\n';
    expect(rewritten("cls-rtracer", "log.mjs", `${text}log(requestId());\n`)).toBe(
      'import { requestId } from "@throughline/http";\nlog(requestId());\nlog(requestId());\n',
    );
  });

  it("keeps line ends of Windows", () => {
    const text = "const t = require('cls-rtracer');\r\napp.use(t.expressMiddleware());\r\nlog(t.id());\r\n";
    expect(rewritten("cls-rtracer", "app.js", text)).toBe(
      "const { requestContext } = require('@throughline/express');\r\n" +
        "const { requestId } = require('@throughline/http');\r\n" +
        "app.use(requestContext());\r\nlog(requestId());\r\n",
    );
  });
});

describe("express-http-context", () => {
  it("in CommonJS: the middleware, set and get are rewritten, and the keys are shared by all files", () => {
    const { files, refusals } = migrated("express-http-context", {
      "app.js": `const httpContext = require("express-http-context");
const app = require("express")();

app.use(httpContext.middleware);
app.use((req, res, next) => {
  const user = req.get("x-user");
  httpContext.set("user", user);
  httpContext.set("tenant-id", req.get("x-tenant"));
  next();
});
`,
      "lib/log.js": `const { get } = require("express-http-context");

exports.log = (message) => console.log(get("user"), get("tenant-id"), message);
`,
    });
    expect(refusals).toEqual([]);
    expect(files).toEqual({
      "app.js": `const { withValue } = require("@throughline/context");
const { guard, requestContext } = require("@throughline/express");
const { tenantIdKey, userKey } = require("./request-keys.js");
const app = require("express")();

app.use(requestContext());
app.use((req, res, next) => {
  const user = req.get("x-user");
  guard(({ ctx }) => withValue(withValue(ctx, userKey, user), tenantIdKey, req.get("x-tenant")))(req, res, next);
});
`,
      "lib/log.js": `const { current } = require("@throughline/context");
const { tenantIdKey, userKey } = require("../request-keys.js");

exports.log = (message) => console.log(current().value(userKey), current().value(tenantIdKey), message);
`,
      "request-keys.js": `"use strict";

const { createKey } = require("@throughline/context");

exports.userKey = createKey("user");
exports.tenantIdKey = createKey("tenant-id");
`,
    });
  });

  it("in TypeScript: keys are typed, and imported as other files are", () => {
    const { files, refusals } = migrated("express-http-context", {
      "src/auth.ts": `import { NextFunction, Request, Response } from "express";
import * as httpContext from "express-http-context";
import { verify } from "./verify";

export function auth(req: Request, res: Response, next: NextFunction): void {
  verify(req, (error: Error | null, user: string) => {
    if (error) return next(error);
    httpContext.set("user", user);
    return next();
  });
}

export const user = (): string => httpContext.get("user") as string;
`,
    });
    expect(refusals).toEqual([]);
    expect(files).toEqual({
      "src/auth.ts": `import { NextFunction, Request, Response } from "express";
import { current, withValue } from "@throughline/context";
import { guard } from "@throughline/express";
import { userKey } from "../request-keys";
import { verify } from "./verify";

export function auth(req: Request, res: Response, next: NextFunction): void {
  verify(req, (error: Error | null, user: string) => {
    if (error) return next(error);
    return void guard(({ ctx }) => withValue(ctx, userKey, user))(req, res, next);
  });
}

export const user = (): string => current().value(userKey) as string;
`,
      "request-keys.ts": `import { createKey } from "@throughline/context";

export const userKey = createKey<any>("user");
`,
    });
  });

  it("a value may read values that were set by others", () => {
    const text = `import { get, set } from "express-http-context";
export default (req, res, next) => {
  set("name", get("user").name);
  next();
};
`;
    expect(rewritten("express-http-context", "name.mjs", text)).toContain(
      "  guard(({ ctx }) => withValue(ctx, nameKey, current().value(userKey).name))(req, res, next);\n",
    );
  });

  it.each([
    ['  set("a", 1);', "set must be followed by next()"],
    ['  if (x) set("a", 1);\n  next();', "set must be followed by next()"],
    ['  set("a", 1);\n  other();\n  next();', "set must be followed by next()"],
    ['  set("a", 1);\n  next();\n  other();', "set must be followed by next()"],
    ['  set("a", 1);\n  next(error);', "set must be followed by next()"],
    ["  set(name, 1);\n  next();", "the key must be a string literal"],
    ['  x = set("a", 1);\n  next();', "the result of set is used"],
    ['  set("a", await load());\n  next();', "the value is awaited"],
    ['  set("a", ctx.a);\n  next();', "the value uses a variable 'ctx'"],
    ['  set("a", 1); // keep\n  next();', "a comment between the statements would be lost"],
    ['  set("a", 1); set("b", get("a"));\n  next();', "computed from values that were set before"],
    ['  set("7", 1);\n  next();', "the key '7' is not the name of a variable"],
    ['  log(get("a b"), get("aB"));', "the keys 'aB' and 'a b' would have the same variable"],
    ["  log(get(name));", "the key must be a string literal"],
    ["  log(asyncLocalStorage.getStore());", "'asyncLocalStorage' cannot be rewritten here"],
  ])("refuses %j", (body, message) => {
    const text = `import { asyncLocalStorage, get, set } from "express-http-context";
export default async (req, res, next) => {
${body}
};
`;
    const { refusals, files } = migrated("express-http-context", { "a.mjs": text });
    expect(refusals[0]).toMatch(/^a\.mjs:[34]: /);
    expect(refusals.join()).toContain(message);
    expect(files).toEqual({ "a.mjs": text });
  });

  it("a hook of Fastify is refused", () => {
    const text = `import { set } from "express-http-context";
app.addHook("onRequest", (request, reply, done) => {
  set("a", 1);
  done();
});
`;
    expect(migrated("express-http-context", { "a.mjs": text }).refusals).toHaveLength(1);
  });

  it("a set outside of a middleware of Express is refused", () => {
    const text =
      'import { set } from "express-http-context";\nexport const f = (next) => {\n  set("a", 1);\n  next();\n};\n';
    expect(migrated("express-http-context", { "a.mjs": text }).refusals).toHaveLength(1);
  });
});

describe("cls-hooked", () => {
  it("in CommonJS: a middleware that sets values becomes a guard", () => {
    const text = `const { createNamespace } = require('cls-hooked')
const session = createNamespace('session')

module.exports = (req, res, next) => {
  session.bindEmitter(req)
  session.bindEmitter(res)
  session.run(() => {
    session.set('user', req.user)
    next()
  })
}
module.exports.user = () => session.get('user')
`;
    expect(rewritten("cls-hooked", "session.js", text))
      .toBe(`const { current, withValue } = require('@throughline/context')
const { guard } = require('@throughline/express')
const { userKey } = require('./request-keys.js')

module.exports = (req, res, next) => {
  guard(({ ctx }) => withValue(ctx, userKey, req.user))(req, res, next)
}
module.exports.user = () => current().value(userKey)
`);
  });

  it("in TypeScript: a middleware that only runs the next one becomes requestContext(), and run binds values", () => {
    const text = `import { getNamespace } from "cls-hooked";

const ns = getNamespace("app")!;

app.use((req, res, next) => {
  ns.bindEmitter(req);
  ns.run(() => next());
});
export const job = (id: string) =>
  ns.runPromise(async () => {
    ns.set("job", id);
    await work();
  });
emitter.on("row", ns.bind((row: string) => log(ns.get("job"), row)));
`;
    expect(rewritten("cls-hooked", "app.ts", text))
      .toBe(`import { bind, current, run, withValue } from "@throughline/context";
import { requestContext } from "@throughline/express";
import { jobKey } from "./request-keys.js";

app.use(requestContext());
export const job = (id: string) =>
  run(withValue(current(), jobKey, id), async () => {
    await work();
  });
emitter.on("row", bind(current(), (row: string) => log(current().value(jobKey), row)));
`);
  });

  it.each([
    ["ns.enter(context);", "'enter' cannot be rewritten here"],
    ["ns.bindEmitter(emitter);", "bind each listener"],
    ["ns.run((context) => {});", "its argument must be a function without parameters"],
    ["ns.run(f);", "its argument must be a function without parameters"],
    ["ns.run(() => work());", "it binds no value"],
    ["f((req, res, next) => { log(); ns.run(() => next()); });", "it binds no value"],
    ['import { type Namespace } from "cls-hooked";', "it imports a type"],
    ['import type { Namespace as N } from "cls-hooked";', "it imports a type"],
    [
      'f((req, res, next) => ns.run(() => { ns.set("a", 1); log(); next(); }));',
      "in an Express middleware, set must be followed by next() alone",
    ],
    ["module.exports = ns;", "'ns' is passed on as a value"],
    ["export { ns };", "'ns' is exported"],
    ["reset();", "'reset' cannot be rewritten here"],
    ["export const other = createNamespace('other');", "the namespace must be a variable of its own"],
  ])("refuses %s", (line, message) => {
    const text = `import { createNamespace, reset } from "cls-hooked";\nconst ns = createNamespace("ns");\n${line}\n`;
    const { refusals, files } = migrated("cls-hooked", { "a.mts": text });
    expect(refusals.join("\n")).toContain(`a.mts:3: ${message}`);
    expect(files).toEqual({ "a.mts": text });
  });

  it("refuses a second namespace, as its keys would be mixed up", () => {
    const text = (name: string): string =>
      `const c = require("cls-hooked");\nconst ns = c.getNamespace("${name}");\nlog(ns.get("user"));\n`;
    const { refusals } = migrated("cls-hooked", { "a.js": text("one"), "b.js": text("two") });
    expect(refusals).toEqual(["b.js:1: it uses the namespace 'two', and others 'one'"]);
    const both = `${text("one")}const other = c.getNamespace("two");\n`;
    expect(migrated("cls-hooked", { "a.js": both }, { dryRun: true }).refusals).toContain(
      "a.js:4: the file uses another namespace too",
    );
  });
});

describe("a project", () => {
  const good = 'import { get } from "express-http-context";\nlog(get("user"));\n';
  const bad = 'import { get } from "express-http-context";\nlog(get(name), get("other"));\n';

  it("in which a place is refused is left as it is", () => {
    const { files, result } = migrated("express-http-context", { "bad.mjs": bad, "good.mjs": good });
    expect(files).toEqual({ "bad.mjs": bad, "good.mjs": good });
    expect(result.written).toEqual([]);
  });

  it("is rewritten in part with partial, and has only the keys that are used", () => {
    const { files, refusals } = migrated(
      "express-http-context",
      { "bad.mjs": bad, "good.mjs": good },
      { partial: true },
    );
    expect(refusals).toEqual(["bad.mjs:2: the key must be a string literal"]);
    expect(files["bad.mjs"]).toBe(bad);
    expect(files["good.mjs"]).toContain("current().value(userKey)");
    expect(files["request-keys.js"]).not.toContain("other");
  });

  it("is not written with dryRun, which returns a diff", () => {
    const { files, result } = migrated("express-http-context", { "good.mjs": good }, { dryRun: true });
    expect(files).toEqual({ "good.mjs": good });
    expect(result.diff.replaceAll(`${folder}/`, "")).toBe(`--- good.mjs
+++ good.mjs
@@ -1,2 +1,3 @@
-import { get } from "express-http-context";
-log(get("user"));
+import { current } from "@throughline/context";
+import { userKey } from "./request-keys.js";
+log(current().value(userKey));
--- request-keys.js
+++ request-keys.js
@@ -0,0 +1,3 @@
+import { createKey } from "@throughline/context";
+
+export const userKey = createKey("user");
`);
  });

  it("adds keys to the module that --keys names, and keeps those that it has", () => {
    const before = 'import { createKey } from "@throughline/context";\nexport const userKey = createKey("user");\n';
    const { files } = migrated(
      "express-http-context",
      {
        "src/log.mjs": 'import { get } from "express-http-context";\nlog(get("user"), get("id"));\n',
        "keys.mjs": before,
      },
      { keys: join(folder, "keys.mjs") },
    );
    expect(files["keys.mjs"]).toBe(`${before}export const idKey = createKey("id");\n`);
    expect(files["src/log.mjs"]).toContain('import { idKey, userKey } from "../keys.mjs";');
  });

  it("of both module formats has its keys in a module that both can load", () => {
    const { files } = migrated("express-http-context", {
      "a.mjs": good,
      "b.cjs": 'const { get } = require("express-http-context");\nlog(get("user"));\n',
    });
    expect(files["request-keys.mjs"]).toContain("export const userKey");
    expect(files["b.cjs"]).toContain('const { userKey } = require("./request-keys.mjs");');
  });

  it("is searched without node_modules, declarations, and files that do not use the library", () => {
    const others = {
      "node_modules/a/index.js": good,
      "types.d.ts": 'declare module "express-http-context";\n',
      "c.js": "// express-http-context\n",
    };
    const { files, refusals } = migrated("express-http-context", { ...others, "good.mjs": good });
    expect(refusals).toEqual([]);
    expect(files).toMatchObject(others);
  });

  it("must use a library that is known, and exist", () => {
    expect(() => migrate("nestjs-cls", [folder])).toThrow(
      "Cannot migrate: the library must be one of cls-hooked, cls-rtracer, express-http-context; received 'nestjs-cls'",
    );
    expect(() => migrate("cls-hooked", [join(folder, "none")])).toThrow(/^Cannot migrate: the path must exist/);
  });
});

describe("the command", () => {
  const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const file = fileURLToPath(new URL("../cli.ts", import.meta.url));
      execFile(process.execPath, [...typescript, file, ...args], { cwd: folder }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });

  it("lists the files that it wrote, with paths of the current folder", async () => {
    writeFileSync(join(folder, "a.mjs"), 'import { id } from "cls-rtracer";\nlog(id());\n');
    expect(await run("migrate", "cls-rtracer")).toEqual({ code: 0, stdout: "wrote a.mjs\n", stderr: "" });
    expect(await run("migrate", "cls-rtracer")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("prints a diff with --dry-run, and exits with 1 if a place is refused", async () => {
    writeFileSync(join(folder, "a.mjs"), 'import { id } from "cls-rtracer";\nlog(id());\n');
    writeFileSync(join(folder, "b.mjs"), 'import { id } from "cls-rtracer";\nlog(id);\n');
    const { code, stdout, stderr } = await run("migrate", "cls-rtracer", ".", "--dry-run");
    expect([code, stderr]).toEqual([1, "b.mjs:2: 'id' cannot be rewritten here\n"]);
    expect(stdout).toMatch(/^--- a\.mjs\n\+\+\+ a\.mjs\n/);
    expect(stdout).not.toContain("b.mjs");
  });

  it("writes nothing if a place is refused, unless --partial is set", async () => {
    writeFileSync(join(folder, "a.mjs"), 'import { id } from "cls-rtracer";\nlog(id());\n');
    writeFileSync(join(folder, "b.mjs"), 'import { id } from "cls-rtracer";\nlog(id);\n');
    const first = await run("migrate", "cls-rtracer");
    expect([first.code, first.stdout]).toEqual([1, ""]);
    expect(first.stderr).toMatch(/\nNothing was written\. /);
    expect(await run("migrate", "cls-rtracer", "--partial")).toMatchObject({ code: 1, stdout: "wrote a.mjs\n" });
  });

  it("says what is left to do for cls-hooked", async () => {
    const text = `const { createNamespace } = require("cls-hooked");
const session = createNamespace("s");
module.exports = (req, res, next) => {
  session.set("user", 1);
  next();
};
`;
    writeFileSync(join(folder, "a.cjs"), text);
    expect((await run("migrate", "cls-hooked")).stdout).toContain("Add app.use(requestContext())");
  });

  it("exits with 2 if it does not know the library", async () => {
    expect(await run("migrate")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Cannot migrate: the library must be one of"),
    });
  });
});
