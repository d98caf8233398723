import type { Kind, Result } from "./examine.ts";

const KINDS: readonly Kind[] = ["random", "mutated", "valid", "long"];
const NAME = 42;
const WIDTH = 17;

export function printHead(): void {
  const kinds = KINDS.map((kind) => kind.padStart(WIDTH)).join("");
  console.log(`${"parser, accepted of values".padEnd(NAME)}${kinds}   slowest long        took`);
}

export function printRow({ name, kinds, slowest, ms, failures }: Result): void {
  const counts = KINDS.map((kind) => `${kinds[kind].accepted} of ${kinds[kind].values}`.padStart(WIDTH)).join("");
  const times = `${slowest.toFixed(2).padStart(11)} ms${(ms / 1000).toFixed(1).padStart(10)} s`;
  console.log(`${name.padEnd(NAME)}${counts}${times}${failures.length === 0 ? "" : "  NOT SO"}`);
}
