import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Runs the Go benchmarks with the `go` on the PATH. Returns nanoseconds by name; empty without Go. */
export function goResults(): ReadonlyMap<string, number> {
  const folder = fileURLToPath(new URL("./go", import.meta.url));
  let output: string;
  try {
    output = execFileSync("go", ["test", "-run", "^$", "-bench", ".", "-benchtime", "200ms"], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return new Map();
  }
  const lines = output.matchAll(/^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns\/op/gm);
  return new Map(Array.from(lines, (line) => [line[1]!, Number(line[2])]));
}
