import { type Kind, leaveAtOnce, leaveWithin } from "./kind.ts";

/** What goes out before a client is seen to have left is a response, if it is all that was to go out. */
const GONE = { seen: ["left"], ended: ["client", "response"] } as const;
const HALF = { announced: 60_000, sent: 30_000 } as const;

/** Clients that leave before they are answered. */
export const LEAVING: readonly Kind[] = [
  { name: "leaves at once", share: 50, path: "/open/wait", behave: leaveAtOnce, ...GONE },
  { name: "leaves while it waits", share: 40, path: "/open/wait", behave: leaveWithin(10), ...GONE },
  {
    name: "leaves a handler that does not listen",
    share: 20,
    path: "/open/deaf",
    behave: leaveWithin(20),
    ...GONE,
  },
  {
    name: "leaves in the middle of its upload",
    share: 40,
    path: "/open/upload",
    upload: HALF,
    behave: leaveWithin(5),
    seen: ["left"],
    // Whoever reads the body fails, and may have answered that before the response is seen to be closed.
    ended: ["client", "error", "response"],
  },
  {
    name: "leaves in the middle of the answer",
    share: 40,
    path: "/open/long",
    behave: (call, luck) => void (call.onData = () => call.leave(luck)),
    ...GONE,
  },
  {
    name: "leaves a pipeline",
    share: 10,
    path: "/open/wait",
    times: 3,
    only: "HTTP/1.1",
    behave: leaveWithin(10),
    ...GONE,
  },
  {
    name: "leaves while it fans out",
    share: 20,
    path: "/open/forget",
    behave: leaveWithin(3),
    seen: ["left", "200"],
    ended: ["client", "response"],
  },
];
