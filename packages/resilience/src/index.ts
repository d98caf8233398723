export { fanOut, type FanOut, type FanOutOptions } from "./fan-out.ts";
export { type Group, group, type GroupOptions } from "./group.ts";
export { hedge, type HedgePolicy } from "./hedge.ts";
export { Percentile } from "./percentile.ts";
export { type ExecutionPolicy, withPolicy } from "./policy.ts";
export { type BackoffOptions, type Retry, retry, type RetryPolicy } from "./retry.ts";
export { RetryBudget, type RetryBudgetOptions } from "./retry-budget.ts";
export { type Release, Semaphore } from "./semaphore.ts";
export { sleep } from "./sleep.ts";
