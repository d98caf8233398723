import { fork } from "node:child_process";
import { once } from "node:events";

import type { Ports, Report } from "./server.ts";

export interface ServerProcess {
  readonly ports: Promise<Ports>;
  /** Waits until it is idle, and asks for what it then holds. Only a thorough report counts objects. */
  report(how?: "thorough"): Promise<Report>;
  /** Has it close its servers and do nothing else, and tells whether it ended by itself in time. */
  end(): Promise<boolean>;
  kill(): void;
}

/** How long it may go on without anything to do, in milliseconds. */
const LINGERING = 5000;

/** @param failed called if it ends before it is told to */
export function startServer(failed: (error: Error) => void): ServerProcess {
  const child = fork(new URL("./server.ts", import.meta.url), {
    // `queryObjects` is said to be an experiment.
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
  });
  const fail = (code: number | null, signal: string | null): void =>
    failed(new Error(`Cannot go on: the server ended with ${code ?? signal}`));
  child.once("exit", fail);
  const told = async <T>(): Promise<T> => ((await once(child, "message")) as [T])[0];
  return {
    ports: told(),
    report(how) {
      child.send(how === undefined ? "report" : "thorough report");
      return told();
    },
    async end() {
      child.off("exit", fail).send("end");
      const late = setTimeout(() => child.kill("SIGKILL"), LINGERING);
      const [code] = await once(child, "exit");
      clearTimeout(late);
      return code === 0;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
