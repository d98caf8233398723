import { AsyncLocalStorage } from "node:async_hooks";

import { background, current, run, withCancel } from "@throughline/context";
import { expect, it } from "vitest";

import { runAsPeer } from "./run-as-peer.ts";

it("hides the caller's context and its stores, and returns what the function returns", async () => {
  const storage = new AsyncLocalStorage<string>();
  const [ctx, cancel] = withCancel(background);
  const seen = async (value: number): Promise<unknown> => {
    await null;
    return [current(), storage.getStore(), value];
  };
  await run(ctx, () =>
    storage.run("caller", async () => {
      expect(await runAsPeer(seen, 5)).toEqual([background, undefined, 5]);
      expect([current(), storage.getStore()]).toEqual([ctx, "caller"]);
    }),
  );
  cancel();
});

it("hides the caller's context also if this package was loaded in a context", async () => {
  const [ctx, cancel] = withCancel(background);
  const late = "./run-as-peer.ts?late";
  const loaded = (await run(ctx, () => import(late))) as { runAsPeer: typeof runAsPeer };
  expect(loaded.runAsPeer).not.toBe(runAsPeer);
  expect(loaded.runAsPeer(current)).toBe(background);
  cancel();
});
