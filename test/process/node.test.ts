import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { describe, expect, it } from "vitest";

const exec = promisify(execFile);

/** Runs a program in its own process with the built packages, and returns its output. */
async function node(program: string, type: "module" | "commonjs" = "module"): Promise<string> {
  const { stdout, stderr } = await exec(process.execPath, [`--input-type=${type}`, "--eval", program], {
    timeout: 10_000,
  });
  return stdout + stderr;
}

it("CommonJS can require the package and shares it with ES modules", async () => {
  const printed = await node(
    `const context = require("@throughline/context");
     import("@throughline/context").then((module) => console.log(module.withCancel === context.withCancel, String(context.withCancel(context.background)[0])));`,
    "commonjs",
  );
  expect(printed).toBe("true background.withCancel\n");
});

it("a deadline alone does not keep the process alive", async () => {
  const printed = await node(
    `import { afterFunc, background, withTimeout } from "@throughline/context";
     afterFunc(withTimeout(background, "1h")[0], () => console.log("an hour later"));
     process.on("exit", () => console.log("ended at once"));`,
  );
  expect(printed).toBe("ended at once\n");
});

it("the timer of deadlines has no async context of a request, even if the package is first loaded inside one", async () => {
  const printed = await node(
    `import { createContextKey, context, ROOT_CONTEXT } from "@opentelemetry/api";
     import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
     context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
     const user = createContextKey("user");
     const { background, current, withTimeout } = await context.with(ROOT_CONTEXT.setValue(user, "alice"), () => import("@throughline/context"));
     withTimeout(background, 5)[0].signal.addEventListener("abort", () => console.log(current().getValue(user)));
     setTimeout(() => {}, 50);`,
  );
  expect(printed).toBe("undefined\n");
});

it("a sleep keeps the process alive like a timer, until it ends", async () => {
  const printed = await node(
    `import { background, withCancel } from "@throughline/context";
     import { sleep } from "@throughline/resilience";
     const [ctx, cancel] = withCancel(background);
     sleep(ctx, "1h").catch((error) => console.log(error.message));
     await sleep(background, 50);
     console.log("slept");
     cancel();`,
  );
  expect(printed).toBe("slept\ncontext canceled\n");
});

it("a callback that throws ends the process, like an event listener that throws", async () => {
  const failed = await node(
    `import { afterFunc, background, withCancel } from "@throughline/context";
     const [ctx, cancel] = withCancel(background);
     afterFunc(ctx, () => { throw new Error("from the callback"); });
     cancel();
     setTimeout(() => console.log("still here"), 100);`,
  ).catch((error: { code: number; stdout: string; stderr: string }) => error);
  expect(failed).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("from the callback") });
});

const PACKAGES = "context http express fastify koa hono nest fetch resilience identity telemetry viewer".split(" ");

it.each(PACKAGES)("%s loads without a warning", async (name) => {
  expect(await node(`import "@throughline/${name}";`)).toBe("");
});

const SERVERS: readonly [name: string, program: string][] = [
  [
    "node:http",
    `import { requestContext } from "@throughline/http";
     const listener = requestContext(handle, { maxTimeout: 150 });`,
  ],
  [
    "Express 4",
    `import { errorHandler, requestContext } from "@throughline/express";
     import express from "express4";
     const listener = express();
     listener.use(requestContext({ maxTimeout: 150 }));
     listener.post("/", handle);
     listener.use(errorHandler());`,
  ],
];

/** Ways in which a handler reads a body that stops arriving. */
const HANDLERS: readonly [how: string, program: string][] = [
  ["with for await", `async function handle(req, res) { for await (const _ of req); res.end(); }`],
  [
    "in a pipeline",
    `import { Writable } from "node:stream";
     import { pipeline } from "node:stream/promises";
     async function handle(req, res) { await pipeline(req, new Writable({ write: (chunk, encoding, done) => done() })); res.end(); }`,
  ],
];

describe.each(SERVERS)("a service on %s", (_name, server) => {
  it.each(HANDLERS)("survives uploads that clients abort and uploads that are late, read %s", async (_how, handler) => {
    const printed = await node(
      `import http from "node:http";
       ${handler}
       ${server}
       process.on("unhandledRejection", (error) => console.log("unhandled", error));
       const server = http.createServer(listener).listen(0, "127.0.0.1", async () => {
         const upload = () => {
           const request = http.request({ port: server.address().port, method: "POST", headers: { "content-length": 100 } });
           request.on("error", () => {}).write("half");
           return request;
         };
         const leaving = upload();
         setTimeout(() => leaving.destroy(), 50);
         const late = upload();
         late.on("response", (response) => {
           console.log(response.statusCode);
           setTimeout(() => { console.log("alive"); process.exit(); }, 100);
         });
       });`,
    );
    expect(printed).toBe("504\nalive\n");
  });
});
