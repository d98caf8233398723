import { type Kind, leaveAtOnce } from "./kind.ts";

const EXPIRED = { deadline: [5, 30], seen: ["504"], ended: ["deadline"] } as const;
const MALFORMED = { headers: { "grpc-timeout": "soon" }, path: "/open/answer" } as const;
/** By `idleTimeout` or `firstByteTimeout`. */
const LIMITED = { ended: ["deadline"] } as const;

/** Requests whose time is up, and those that do not say when it is in a way that can be read. */
export const LATE: readonly Kind[] = [
  { name: "deadline, of a handler that listens", share: 40, path: "/open/wait", ...EXPIRED },
  { name: "deadline, of a handler that does not", share: 30, path: "/open/deaf", ...EXPIRED },
  { name: "deadline, of a handler that is busy", share: 2, path: "/open/busy", ...EXPIRED, deadline: [1, 3] },
  { name: "deadline, while it fans out", share: 15, path: "/open/fan-long", ...EXPIRED },
  {
    name: "deadline in the middle of an upload",
    share: 10,
    path: "/open/upload",
    ...EXPIRED,
    upload: { announced: 60_000, sent: 30_000 },
  },
  { name: "deadline in the middle of the answer", share: 10, path: "/open/begin", ...EXPIRED, seen: ["cut off"] },
  { name: "no time left on arrival", share: 15, path: "/open/answer", ...EXPIRED, deadline: [0, 0] },
  { name: "malformed deadline", share: 30, ...MALFORMED, seen: ["400"], ended: ["refusal"] },
  {
    name: "malformed deadline, and leaves",
    share: 10,
    ...MALFORMED,
    behave: leaveAtOnce,
    seen: ["left"],
    ended: ["refusal", "client"],
  },
  { name: "never begins", share: 15, path: "/limited/wait", seen: ["504"], ...LIMITED },
  { name: "never begins, and does not listen", share: 15, path: "/limited/deaf", seen: ["504"], ...LIMITED },
  { name: "stands still", share: 10, path: "/limited/begin", seen: ["cut off"], ...LIMITED },
  { name: "stands still, and does not listen", share: 10, path: "/limited/begin-deaf", seen: ["cut off"], ...LIMITED },
  {
    name: "stops reading",
    share: 2,
    path: "/limited/too-long",
    behave: (call) => {
      call.onData = () => {
        call.onData = undefined;
        call.pause();
        // Whoever does not read does not learn that it was cut off either.
        setTimeout(() => call.resume(), 500);
      };
    },
    seen: ["cut off"],
    ...LIMITED,
  },
];
