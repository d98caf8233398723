// For sibling packages only, and not covered by semantic versioning. All packages have the same version.

export { CRITICALITIES, type Criticality, criticality, rank, withCriticality } from "./criticality.ts";
export { LruMap } from "./lru-map.ts";
export { checkRetryPolicy } from "./retry.ts";
export { SlidingCount } from "./sliding-count.ts";
export { untilEnd } from "./until-end.ts";
export { type Waiter, WaitingLine } from "./waiting-line.ts";
