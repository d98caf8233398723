// Which retry budget helps when a part fails, and does not harm under overload: `node simulate/retry-budgets.ts`
import { RetryBudget } from "@throughline/resilience";

import { measure, recovery } from "./measures.ts";
import { simulate } from "./simulation.ts";
import { threeTiers, type Trouble } from "./topology.ts";

const CAPACITY = 500;
const FROM = 5;
const TO = 20;

/** A share of the store's requests fails. */
const failing = (share: number): Trouble[] => [{ service: "store", from: FROM, to: TO, failing: share }];

const SCENARIOS = {
  "0.7x, 1 % fails": { load: 0.7, troubles: failing(0.01) },
  "0.7x, 10 % fails": { load: 0.7, troubles: failing(0.1) },
  "0.7x, 50 % fails": { load: 0.7, troubles: failing(0.5) },
  "2x": { load: 2, troubles: [] },
  "2x, 10 % fails": { load: 2, troubles: failing(0.1) },
};

const BUDGETS = {
  "no retries": false,
  "ratio 0.05": 0.05,
  "ratio 0.1": 0.1,
  "ratio 0.2": 0.2,
  "ratio 0.5": 0.5,
  "no budget": "none",
} as const;

function retryOf(budget: (typeof BUDGETS)[keyof typeof BUDGETS]) {
  if (budget === false) return false;
  if (budget === "none") return { budget: "none" as const };
  // One budget for each origin and service, with a reserve that is small beside the ratio at this load.
  return { budget: perOrigin(() => new RetryBudget({ ratio: budget, minPerSecond: 1 })) };
}

function perOrigin(make: () => RetryBudget): (origin: string) => RetryBudget {
  const budgets = new Map<string, RetryBudget>();
  return (origin) => budgets.get(origin) ?? (budgets.set(origin, make()), budgets.get(origin)!);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

console.log("| load | budget | answered | goodput | p99 | requests to the store, per client | recovery |");
console.log("| --- | --- | --: | --: | --: | --: | --: |");
for (const [scenario, { load, troubles }] of Object.entries(SCENARIOS)) {
  for (const [name, budget] of Object.entries(BUDGETS)) {
    const result = await simulate({
      topology: { ...threeTiers(20, 40), troubles },
      build: { hasContext: true, admission: "adaptive", isForeignPool: true, retry: retryOf(budget) },
      rate: (second) => CAPACITY * (second >= FROM && second < TO ? load : 0.5),
      seconds: TO + 10,
      patience: 500,
      attempts: 1,
      seed: Number(process.env.SEED ?? 1),
    });
    const { answered, answers, p99 } = measure(result.answers, FROM + 2, TO);
    const after = recovery(result.answers, TO, TO + 10);
    const toStore = result.work.get("store")!.arrived / result.answers.length;
    console.log(
      `| ${scenario} | ${name} | ${percent(answered)} | ${percent(answers / CAPACITY)} | ${Math.round(p99)} ms | ` +
        `${toStore.toFixed(2)} | ${after === Infinity ? "never" : `${after} s`} |`,
    );
  }
}
