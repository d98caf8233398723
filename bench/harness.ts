import { type ChildProcess, fork } from "node:child_process";

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/**
 * Keeps the event loop of this process busy until the returned function is called. A process that sleeps reacts late,
 * and waking it up costs its peer the more, the slower that peer is.
 */
export function stayAwake(): () => void {
  let isAwake = true;
  const turn = (): void => void (isAwake && setImmediate(turn));
  turn();
  return () => void (isAwake = false);
}

/** Forks a measured process. If it fails, the benchmark fails. */
export function startProcess(file: URL, args: readonly string[], execArgv: readonly string[] = []): ChildProcess {
  const child = fork(file, args, { execArgv: [...execArgv] });
  return child.once("exit", (code, signal) => {
    if (code !== 0) throw new Error(`Cannot measure: ${file.href} ended with ${code ?? signal}`);
  });
}
