import { describe, expect, it } from "vitest";

import { BUILDS } from "./builds.ts";
import { measure, recovery } from "./measures.ts";
import { type Build, simulate } from "./simulation.ts";
import { threeTiers, type Trouble } from "./topology.ts";

const CAPACITY = 100;

/** Clients come for 25 seconds: in seconds 5 to 15 `load` times the capacity, before and after it half of it. */
async function run(build: Build, { load = 0.5, troubles = [] as Trouble[], sheddable = 0, seed = 1 } = {}) {
  const { answers } = await simulate({
    topology: { ...threeTiers(4, 40), troubles },
    build,
    rate: (second) => CAPACITY * (second >= 5 && second < 15 ? load : 0.5),
    seconds: 25,
    patience: 500,
    attempts: 3,
    sheddable,
    seed,
  });
  return {
    answers,
    /** The share of the capacity that is answered in time, when the overload has lasted for two seconds. */
    goodput: measure(answers, 7, 15).answers / CAPACITY,
    recovery: recovery(answers, 15, 25),
    /** The share of the clients that are not sheddable that got an answer. */
    answered: measure(
      answers.filter(({ isSheddable }) => !isSheddable),
      7,
      15,
    ).answered,
  };
}

/** A third of the store's capacity, while clients ask for half. */
const SLOW_STORE: Trouble[] = [{ service: "store", from: 5, to: 15, slower: 3 }];

describe("three tiers of services in virtual time", () => {
  it("give the same answers for the same seed", async () => {
    const [first, again] = [await run(BUILDS.plain!, { load: 1.5 }), await run(BUILDS.plain!, { load: 1.5 })];
    expect(again.answers).toEqual(first.answers);
    expect((await run(BUILDS.plain!, { load: 1.5, seed: 2 })).answers).not.toEqual(first.answers);
  });

  describe.each([2, 3])("at %i times their capacity", (load) => {
    it("answer few clients in plain Node, and do not recover", async () => {
      const { goodput, recovery } = await run(BUILDS.plain!, { load });
      expect(goodput).toBeLessThan(0.2);
      expect(recovery).toBe(Infinity);
    });

    it.each(["ours: deadlines", "ours: admission adaptive", "ours: admission adaptive, a pool of others"])(
      "answer nearly as many clients as they can, and recover, by %s",
      async (name) => {
        const { goodput, recovery } = await run(BUILDS[name]!, { load });
        expect(goodput).toBeGreaterThan(0.9);
        expect(recovery).toBeLessThan(5);
      },
    );
  });

  it.each(["ours: deadlines", "ours: admission adaptive"])(
    "answer as many clients as plain Node does below their capacity, by %s",
    async (name) => {
      const plain = await run(BUILDS.plain!, { load: 0.9 });
      expect((await run(BUILDS[name]!, { load: 0.9 })).goodput).toBeGreaterThanOrEqual(plain.goodput * 0.99);
    },
  );

  it.each(["ours: deadlines", "ours: admission adaptive", "ours: admission adaptive, a pool of others"])(
    "answer the clients that are not sheddable, if they alone could be answered, by %s",
    async (name) => {
      const { answered, goodput } = await run(BUILDS[name]!, { load: 2, sheddable: 0.7 });
      expect(answered).toBeGreaterThan(0.98);
      expect(goodput).toBeGreaterThan(0.9);
    },
  );

  it("stay down in plain Node after their store was slow, and recover with a Context", async () => {
    expect((await run(BUILDS.plain!, { troubles: SLOW_STORE })).recovery).toBe(Infinity);
    expect((await run(BUILDS["ours: deadlines"]!, { troubles: SLOW_STORE })).recovery).toBeLessThan(5);
    expect((await run(BUILDS["ours: admission adaptive"]!, { troubles: SLOW_STORE })).recovery).toBeLessThan(5);
  });
});
