/** How many requests run at a time behind a gate that admits, and how many wait. */
export const CONCURRENCY = 3;
export const QUEUE = 3;
