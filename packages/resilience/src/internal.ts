// For the packages beside this one. Outside semantic versioning: all packages have one version.

export { checkRetryPolicy } from "./retry.ts";
export { LruMap } from "./lru-map.ts";
export { SlidingCount } from "./sliding-count.ts";
export { untilEnd } from "./until-end.ts";
