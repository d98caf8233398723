import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { requestContext } from "@throughline/http";
import { afterEach, describe, expect, it } from "vitest";

import { diagnose } from "./doctor.ts";
import type { Finding } from "./finding.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folders: string[] = [];
const servers: Server[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Writes a project. Contents that are no strings are written as JSON. */
function project(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), "throughline-doctor-"));
  folders.push(folder);
  mkdirSync(join(folder, ".git"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

/** Check and place of each finding. */
async function found(folder: string, options: Parameters<typeof diagnose>[1] = {}): Promise<string[]> {
  const findings = await diagnose(folder, { env: {}, ...options });
  return findings.map(({ severity, check, where }) => `${severity} ${check} ${where ?? ""}`.trim());
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** A proxy that removes request headers. */
function proxy(target: string, removed: readonly string[]): Promise<string> {
  return listen((req, res) => {
    const headers = Object.fromEntries(Object.entries(req.headers).filter(([name]) => !removed.includes(name)));
    request(target, { headers }, (response) => {
      res.writeHead(response.statusCode!, response.headers);
      response.pipe(res);
    }).end();
  });
}

describe("a project", () => {
  it("of this repository has no errors and no warnings: the storefront", async () => {
    const findings = await found(join(root, "examples/storefront"));
    expect(findings.filter((each) => !each.startsWith("info"))).toEqual([]);
  });

  it("of Express 4 in CommonJS has findings with their places", async () => {
    const folder = project({
      "package.json": {
        name: "shop",
        engines: { node: ">=18" },
        dependencies: { express: "4.21.0", pg: "8.0.0", axios: "1.0.0", "@throughline/express": "0.1.0" },
      },
      "server.js": `
        const express = require("express");
        const { requestContext } = require("@throughline/express");
        const axios = require("axios");
        const { Pool } = require("pg");
        const app = express();
        // app.use(errorHandler()) comes later
        app.get("/stock", async (req, res) => {
          const stock = await fetch("http://stock/");
          res.json([await stock.json(), (await axios.get("http://prices/")).data, await pool.query("select 1")]);
        });
        const pool = new Pool();
        app.use(requestContext());
        app.listen(3000);`,
    });
    expect(await found(folder)).toEqual([
      "error middleware-order server.js:13",
      "error middleware-order server.js:13",
      "warning node-version package.json: engines.node",
      "warning bare-fetch server.js:9",
      "warning bare-axios server.js",
      "warning driver server.js",
    ]);
  });

  it("of Express 4 in CommonJS that is set up well has none", async () => {
    const folder = project({
      "package.json": { name: "shop", dependencies: { express: "4.21.0", "@throughline/express": "0.1.0" } },
      "server.js": `
        const express = require("express");
        const throughline = require("@throughline/express");
        const { createFetch } = require("@throughline/fetch");
        const fetch = createFetch();
        const app = express();
        app.use(throughline.requestContext());
        app.get("/stock", async (req, res) => res.json(await (await fetch("http://stock/")).json()));
        app.use(throughline.errorHandler());
        app.listen(3000);`,
    });
    expect(await found(folder)).toEqual([]);
  });

  it("of Nest without middleware is told where to add it", async () => {
    const folder = project({
      "package.json": { name: "api", dependencies: { "@nestjs/core": "11.0.0" } },
      "tsconfig.json": '{ "compilerOptions": { "module": "commonjs" } }',
      "src/app.module.ts": 'import { APP_GUARD } from "@nestjs/core"; export class AppModule {}',
      "src/main.ts": 'import { NestFactory } from "@nestjs/core"; (await NestFactory.create(AppModule)).listen(3000);',
    });
    const [finding] = (await diagnose(folder, { env: {} })) as [Finding];
    expect(finding).toMatchObject({ check: "middleware", where: join("src", "main.ts") });
    expect(finding.remedy).toBe(
      "npm install @throughline/nest, and add ContextModule.forRoot() to the imports of the root module.",
    );
  });

  it("with two copies has an error for each package that is there twice", async () => {
    const folder = project({
      "package.json": { name: "twice", type: "module" },
      "node_modules/@throughline/context/package.json": { version: "0.1.0" },
      "node_modules/@throughline/http/package.json": { version: "0.1.0" },
      "node_modules/@opentelemetry/api/package.json": { version: "1.9.0" },
      "node_modules/plugin/package.json": { version: "1.0.0" },
      "node_modules/plugin/node_modules/@throughline/context/package.json": { version: "0.2.0" },
      "node_modules/plugin/node_modules/@opentelemetry/api/package.json": { version: "1.4.0" },
    });
    const findings = await diagnose(folder, { env: {} });
    expect(findings.map(({ severity, check }) => `${severity} ${check}`)).toEqual([
      "error copies",
      "error versions",
      "error opentelemetry-versions",
      "warning copies",
    ]);
    const copy = join("node_modules", "plugin", "node_modules", "@throughline", "context");
    expect(findings[0]!.where).toContain(`${copy} (0.2.0)`);
  });

  it("with OpenTelemetry SDKs of two generations has errors", async () => {
    const folder = project({
      "package.json": { name: "mixed", dependencies: { "@throughline/telemetry": "0.1.0" } },
      "node_modules/@throughline/telemetry/package.json": { version: "0.1.0" },
      "node_modules/@opentelemetry/sdk-node/package.json": { version: "0.57.0" },
      "node_modules/@opentelemetry/sdk-trace-base/package.json": { version: "1.30.0" },
      "node_modules/exporter/package.json": { version: "1.0.0" },
      "node_modules/exporter/node_modules/@opentelemetry/sdk-trace-base/package.json": { version: "2.0.0" },
    });
    expect(await found(folder)).toEqual(["error opentelemetry-versions", "error opentelemetry-versions"]);
  });

  it("whose moduleResolution ignores exports has an error", async () => {
    const folder = project({
      "package.json": { name: "old" },
      "tsconfig.json": '{ "compilerOptions": { "moduleResolution": "node" } }',
      "main.ts": 'import { current } from "@throughline/context";',
    });
    expect(await found(folder)).toEqual(["error module-format tsconfig.json: moduleResolution"]);
  });

  it("whose query builder is wrapped has no warning for the driver behind it", async () => {
    const folder = project({
      "package.json": { name: "built" },
      "db.js":
        'import pg from "pg"; import { Kysely } from "kysely"; import { withContext } from "@throughline/drivers/kysely";',
    });
    expect(await found(folder)).toEqual([]);
  });

  it("that sets timeoutMS of mongodb has an error", async () => {
    const folder = project({
      "package.json": { name: "mongo" },
      "db.js": 'import { MongoClient } from "mongodb";\nnew MongoClient(url, { timeoutMS: 5 });',
    });
    expect(await found(folder)).toEqual(["error mongodb-timeout db.js:2", "warning driver db.js"]);
  });

  it("without a package.json cannot be examined", async () => {
    await expect(diagnose(tmpdir())).rejects.toThrow(/^Cannot examine .*: it must have a package.json$/);
  });
});

describe("the environment", () => {
  it.each([
    [{ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4318" }, "warning", "OTEL_SDK_DISABLED"],
    [
      { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://a/v1/traces" },
      "warning",
      "OTEL_TRACES_EXPORTER",
    ],
    [{ OTEL_TRACES_SAMPLER_ARG: "0.1" }, "warning", "OTEL_TRACES_SAMPLER_ARG"],
    [{ OTEL_PROPAGATORS: "b3" }, "warning", "OTEL_PROPAGATORS"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4318/v1/traces" }, "error", "OTEL_EXPORTER_OTLP_ENDPOINT"],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" },
      "warning",
      "OTEL_EXPORTER_OTLP_ENDPOINT",
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector" }, "error", "OTEL_EXPORTER_OTLP_ENDPOINT"],
  ])("%o has a finding", async (env, severity, where) => {
    const folder = project({ "package.json": {} });
    expect(await found(folder, { env })).toEqual([`${severity} otel-environment ${where}`]);
  });

  it("is also read from .env", async () => {
    const folder = project({ "package.json": {}, ".env": 'export OTEL_TRACES_SAMPLER="always_off"\n' });
    expect(await found(folder)).toEqual(["warning otel-environment OTEL_TRACES_SAMPLER"]);
    expect(await found(folder, { env: { OTEL_TRACES_SAMPLER: "always_on" } })).toEqual([]);
  });

  it("that is consistent has no finding", async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4317",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.1",
      OTEL_PROPAGATORS: "tracecontext,baggage",
    };
    expect(await found(project({ "package.json": {} }), { env })).toEqual([]);
  });
});

describe("a running service", () => {
  const folder = (): string => project({ "package.json": {} });
  const handled: unknown[] = [];
  const service = (): Promise<string> =>
    listen(requestContext((req, res) => void res.end(String(handled.push(req.url)))));

  it("that answers at the deadline is well, and runs no handler", async () => {
    handled.length = 0;
    const url = await service();
    expect(await found(folder(), { url })).toEqual([`info service-deadline ${url}`]);
    expect(handled).toEqual([]);
  });

  it("without a Context has a warning", async () => {
    const url = await listen((_req, res) => void res.end("ok"));
    expect(await found(folder(), { url })).toEqual([`warning service-deadline ${url}`]);
  });

  it("behind a proxy that removes a header has a warning with its name", async () => {
    const url = await proxy(await service(), ["grpc-timeout"]);
    const findings = await diagnose(folder(), { url, env: {} });
    expect(findings).toHaveLength(1);
    expect(findings[0]!.message).toContain("does not see these headers: grpc-timeout.");
  });

  it("with another clock has a warning", async () => {
    const inner = requestContext((_req, res) => void res.end());
    const url = await listen((req, res) => {
      res.setHeader("date", new Date(Date.now() - 60_000).toUTCString());
      void inner(req, res);
    });
    expect(await found(folder(), { url })).toEqual([`warning clock ${url}`, `info service-deadline ${url}`]);
  });

  it("that does not run has an error", async () => {
    const url = await listen(() => {});
    await new Promise((resolve) => servers.pop()!.close(resolve));
    expect(await found(folder(), { url })).toEqual([`error service ${url}`]);
  });
});

describe("a proxy", () => {
  const free = async (): Promise<number> => {
    const url = await listen(() => {});
    await new Promise((resolve) => servers.pop()!.close(resolve));
    return Number(new URL(url).port);
  };

  it("that passes all headers is well", async () => {
    const port = await free();
    const url = await proxy(`http://localhost:${port}`, []);
    expect(await found(project({ "package.json": {} }), { proxy: url, port })).toEqual([`info proxy ${url}`]);
  });

  it("that removes headers has an error for each", async () => {
    const port = await free();
    const url = await proxy(`http://localhost:${port}`, ["grpc-timeout", "baggage"]);
    const findings = await diagnose(project({ "package.json": {} }), { proxy: url, port, env: {} });
    expect(findings.map(({ message }) => message)).toEqual([
      "The proxy removes the request header 'grpc-timeout'.",
      "The proxy removes the request header 'baggage'.",
    ]);
  });
});

describe("the command", () => {
  const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const flags = process.features.typescript === false ? ["--experimental-strip-types", "--no-warnings"] : [];
      const file = fileURLToPath(new URL("cli.ts", import.meta.url));
      execFile(process.execPath, [...flags, file, ...args], (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  const wrong = (): string => project({ "package.json": {}, ".env": "OTEL_EXPORTER_OTLP_ENDPOINT=collector" });
  const doubtful = (): string => project({ "package.json": {}, ".env": "OTEL_TRACES_SAMPLER=always_off" });

  it("prints findings with their remedies, and exits with 1 if one is an error", async () => {
    const { code, stdout } = await run("doctor", wrong());
    expect(code).toBe(1);
    expect(stdout).toBe(
      [
        'error: "collector" is no URL. (otel-environment)',
        "  at:     OTEL_EXPORTER_OTLP_ENDPOINT",
        "  remedy: Write it with its scheme, such as http://localhost:4318.",
        "",
        "1 error, 0 warnings",
        "",
      ].join("\n"),
    );
  });

  it("prints JSON with --json, and exits with 1 on warnings with --strict only", async () => {
    const folder = doubtful();
    const { code, stdout } = await run("doctor", folder, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([{ severity: "warning", where: "OTEL_TRACES_SAMPLER" }]);
    expect((await run("doctor", folder, "--strict")).code).toBe(1);
  });

  it("exits with 2 if it cannot run", async () => {
    expect(await run("doctor", tmpdir())).toMatchObject({ code: 2, stdout: "" });
    expect(await run("cure")).toMatchObject({
      code: 2,
      stderr: "Cannot run: the command must be 'doctor' or 'migrate'; received 'cure'\n",
    });
    expect((await run("doctor", wrong(), "--proxy", "http://localhost")).stderr).toMatch(/^Cannot run: --port must/);
  });
});
