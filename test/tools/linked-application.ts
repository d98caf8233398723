import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** A folder in which this folder's `package.json` was installed. */
const tools = process.env["THROUGHLINE_TOOLS"];

/** Whether a tool is installed. Prints a warning if it is not. */
export function isInstalled(tool: string): boolean {
  if (tools !== undefined && existsSync(join(tools, "node_modules", tool))) return true;
  console.warn(
    `\n!!! SKIPPED: ${tool}: not installed. Install test/tools/package.json in a separate folder and set THROUGHLINE_TOOLS to it. !!!\n`,
  );
  return false;
}

/** Creates the folder of an application beside the installed tools, with links to the packages of this repository. */
export function createApplication(tool: string): string {
  const folder = mkdtempSync(join(tools!, `${tool}-`));
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  mkdirSync(join(folder, "node_modules/@throughline"), { recursive: true });
  for (const name of readdirSync(join(repository, "packages"))) {
    symlinkSync(join(repository, "packages", name), join(folder, "node_modules/@throughline", name));
  }
  return folder;
}

/** A process of an application. */
export class Program {
  /** The lines of its output. */
  readonly lines: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;

  /** @param file the program, in the application's folder or among the installed tools */
  constructor(folder: string, file: string, args: readonly string[] = [], env: Record<string, string> = {}) {
    const program = [join(folder, file), join(tools!, "node_modules", file)].find((path) => existsSync(path))!;
    // Without the variables of Vitest, by which some servers keep silent.
    const outer = { ...process.env, TEST: "", VITEST: "" };
    const variables = { ...outer, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", ...env };
    this.#child = spawn(process.execPath, [program, ...args], { cwd: folder, env: variables as NodeJS.ProcessEnv });
    this.#exited = once(this.#child, "close");
  }

  /** Waits until it has exited. Returns its output. */
  async output(): Promise<string> {
    const { stdout, stderr } = this.#child;
    const output = (await Promise.all([text(stdout), text(stderr)])).join("");
    await this.#exited;
    if (this.#child.exitCode !== 0) throw new Error(output);
    return output;
  }

  /** Waits until it prints the URL at which it listens on loopback. */
  async listening(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface(stream).on("line", (line) => {
        this.lines.push(line);
        const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
        if (origin !== undefined) resolve(origin);
      });
    }
    this.#exited.then(() => reject(new Error(this.lines.join("\n"))), reject);
    return promise;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
