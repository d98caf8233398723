import { type Kind, leaveAtOnce, leaveWithin } from "./kind.ts";

const CROWDED = { seen: ["200", "503"], ended: ["response", "refusal"] } as const;
const LEAVES = { seen: ["left", "200", "503"], ended: ["client", "response", "refusal"] } as const;

/** Requests to where only a few are taken on at a time. */
export const ADMITTED: readonly Kind[] = [
  { name: "one of many", share: 50, path: "/admitted/pause", ...CROWDED },
  {
    name: "one of many, and sheddable",
    share: 15,
    path: "/admitted/pause",
    headers: { "throughline-criticality": "sheddable" },
    ...CROWDED,
  },
  {
    name: "one of many, with a deadline",
    share: 20,
    path: "/admitted/pause",
    deadline: [1, 15],
    // An answer that is on its way when the time is up is broken off.
    seen: ["200", "503", "504", "cut off"],
    ended: ["response", "refusal", "deadline"],
  },
  {
    name: "one of many, and leaves",
    share: 20,
    path: "/admitted/pause",
    behave: leaveWithin(8),
    ...LEAVES,
  },
  { name: "one of many, further in", share: 20, path: "/inner/pause", ...CROWDED },
  {
    name: "one of many, further in, and leaves",
    share: 15,
    path: "/inner/pause",
    behave: leaveWithin(8),
    ...LEAVES,
  },
  {
    name: "one of many, further in, and leaves at once",
    share: 5,
    path: "/inner/pause",
    behave: leaveAtOnce,
    ...LEAVES,
  },
];
