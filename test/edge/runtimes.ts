import async_hooks from "node:async_hooks";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

import { EdgeVM } from "@edge-runtime/vm";

import { bundleWorker } from "./bundle.ts";
import type * as Worker from "./worker.ts";

type Functions = Omit<typeof Worker, "default">;

/** An edge runtime in which `worker.ts` runs. */
export interface Runtime {
  readonly imports: readonly string[];
  /** Calls a function of `worker.ts`. */
  call<Name extends keyof Functions>(
    name: Name,
    ...args: Parameters<Functions[Name]>
  ): Promise<Awaited<ReturnType<Functions[Name]>>>;
  stop(): Promise<void>;
}

/** The runtime of Vercel and Next.js, with what Next.js adds: some modules of Node, and a `process` with an `env`. */
export async function startEdgeRuntime(): Promise<Runtime> {
  const { code, imports } = await bundleWorker("edge-light", "cjs");
  const vm = new EdgeVM();
  vm.context["require"] = (id: string) => {
    if (id !== "node:async_hooks") throw new TypeError(`Native module not found: ${id}`);
    const { AsyncLocalStorage, AsyncResource } = async_hooks;
    return { AsyncLocalStorage, AsyncResource };
  };
  vm.context["process"] = {
    env: {},
    getBuiltinModule() {
      throw new Error("A Node.js API is used (process.getBuiltinModule) which is not supported in the Edge Runtime.");
    },
  };
  const functions = (vm.context["exports"] = {} as Functions);
  vm.evaluate(code);
  return {
    imports,
    async call(name, ...args) {
      const fn = functions[name] as (...args: unknown[]) => never;
      return fn(...args);
    },
    stop: async () => {},
  };
}

/** A folder in which the `package.json` of `test/tools` was installed. */
const tools = process.env["THROUGHLINE_TOOLS"];
const platform = `${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
const workerd = tools && join(tools, `node_modules/@cloudflare/workerd-${platform}/bin/workerd`);

export const hasWorkerd = workerd !== undefined && existsSync(workerd);

/** Any free port. The network includes loopback, for the services of the tests. */
const CONFIGURATION = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "network", network = (allow = ["private", "public"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
  compatibilityFlags = ["nodejs_compat"],
  globalOutbound = "network"
);
`;

/** The runtime of Cloudflare Workers, in a process of its own. */
export async function startWorkerd(): Promise<Runtime> {
  const { code, imports } = await bundleWorker("workerd", "esm");
  const folder = mkdtempSync(join(tmpdir(), "throughline-workerd-"));
  writeFileSync(join(folder, "worker.js"), code);
  writeFileSync(join(folder, "config.capnp"), CONFIGURATION);
  const child = spawn(workerd!, ["serve", join(folder, "config.capnp"), "--control-fd=3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const listening = once(child.stdio[3] as Readable, "data") as Promise<[Buffer]>;
  const [started] = await Promise.race([listening, exited.then(() => [])]);
  if (started === undefined) throw new Error("workerd has exited");
  const { port } = JSON.parse(String(started)) as { port: number };
  return {
    imports,
    async call(name, ...args) {
      const response = await fetch(`http://127.0.0.1:${port}/`, {
        method: "POST",
        body: JSON.stringify({ name, args }),
      });
      return response.json() as never;
    },
    stop,
  };
}
