import net from "node:net";

import { afterEach, expect, it, vi } from "vitest";

import { emitWarning, nodeModule } from "./node-module.ts";

afterEach(() => void vi.unstubAllGlobals());

it("returns a module of Node", () => {
  expect(nodeModule("node:net")).toBe(net);
});

const throwing = (): never => {
  throw new Error("not supported in the Edge Runtime");
};

it.each([
  ["in a browser", undefined],
  [
    "in the edge runtime of Next.js, whose process throws",
    { env: {}, versions: undefined, getBuiltinModule: throwing },
  ],
  ["in a runtime without getBuiltinModule", { versions: { node: "22.0.0" } }],
])("returns undefined %s", (_where, process) => {
  vi.stubGlobal("process", process);
  const found = nodeModule("node:net");
  vi.unstubAllGlobals();
  expect(found).toBeUndefined();
});

const options = { type: "ThroughlineWarning", code: "THROUGHLINE_TEST" };

it("emits a warning of the process", () => {
  const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  emitWarning("careful", options);
  expect(emitted.mock.calls).toEqual([["careful", options]]);
  emitted.mockRestore();
});

it("logs a warning in a runtime without a process", () => {
  const logged = vi.spyOn(console, "warn").mockImplementation(() => {});
  vi.stubGlobal("process", undefined);
  emitWarning("careful", options);
  vi.unstubAllGlobals();
  expect(logged.mock.calls).toEqual([["careful"]]);
  logged.mockRestore();
});
