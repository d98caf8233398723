import { fork } from "node:child_process";
import { once } from "node:events";

import type { Ports, Report } from "./server.ts";

/** The process with the servers under test. */
export interface ServerProcess {
  readonly ports: Promise<Ports>;
  /** Waits until the servers are idle and requests a report. Only a thorough report counts objects. */
  report(how?: "thorough"): Promise<Report>;
  /** Closes the servers. Resolves to whether the process then exits by itself in time. */
  end(): Promise<boolean>;
  kill(): void;
}

/** Time for the process to exit after its servers are closed, in milliseconds. */
const EXIT_MS = 5000;

/** @param failed called if the process exits before `end` */
export function startServer(failed: (error: Error) => void): ServerProcess {
  const child = fork(new URL("./server.ts", import.meta.url), {
    // `queryObjects` is experimental.
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
  });
  const fail = (code: number | null, signal: string | null): void =>
    failed(new Error(`Cannot continue: the server exited with ${code ?? signal}`));
  child.once("exit", fail);
  const nextMessage = async <T>(): Promise<T> => ((await once(child, "message")) as [T])[0];
  return {
    ports: nextMessage(),
    report(how) {
      child.send(how === undefined ? "report" : "thorough report");
      return nextMessage();
    },
    async end() {
      child.off("exit", fail).send("end");
      const late = setTimeout(() => child.kill("SIGKILL"), EXIT_MS);
      const [code] = await once(child, "exit");
      clearTimeout(late);
      return code === 0;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
