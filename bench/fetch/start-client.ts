import { type ChildProcess, fork } from "node:child_process";

/** Starts a client, a file beside this one. If it fails so does everything: there is nobody left to wait for. */
export function startClient(file: string, ...args: string[]): ChildProcess {
  const client = fork(new URL(file, import.meta.url), args, { execArgv: ["--expose-gc"] });
  return client.once("exit", (code, signal) => {
    if (code !== 0) throw new Error(`Cannot go on: ${file} ended with ${code ?? signal}`);
  });
}
