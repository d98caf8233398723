import type { EndedBy } from "@throughline/http/adapter";

import type { Call, Seen } from "./call.ts";

/** Requests that the gates `admitted` and `inner` run at a time, and that they queue. */
export const CONCURRENCY = 3;
export const QUEUE = 3;

export type Protocol = "HTTP/1.1" | "HTTP/2";

/** A kind of request, with what its client does and what may come of it. */
export interface Kind {
  readonly name: string;
  /** Its share of all requests, about in thousandths. */
  readonly share: number;
  /** The gate (`hosts.ts`) and the handler (`handlers.ts`). */
  readonly path: `/${string}/${string}`;
  /** The results that its client may see. */
  readonly seen: readonly Seen[];
  /** The values that the server may report as `throughline.ended_by`. */
  readonly ended: readonly EndedBy[];
  readonly headers?: Readonly<Record<string, string>>;
  /** The range of its deadline, in milliseconds. */
  readonly deadline?: readonly [least: number, most: number];
  readonly upload?: { readonly announced: number; readonly sent: number };
  readonly times?: number;
  /** The only protocol that it can be sent over. */
  readonly only?: Protocol;
  /**
   * The behavior of its client.
   *
   * @param random uniform in [0, 1)
   */
  readonly behave?: (call: Call, random: number) => void;
}

/** Disconnects after a random time of at most `most` milliseconds. */
function disconnectWithin(most: number): NonNullable<Kind["behave"]> {
  return (call, random) => void setTimeout(() => call.leave(random), random * most);
}

function disconnectAtOnce(call: Call, random: number): void {
  call.leave(random);
}

const WELL = { seen: ["200"], ended: ["response"] } as const;

/** Requests that succeed. */
const ANSWERED: readonly Kind[] = [
  { name: "answered", share: 320, path: "/open/answer", ...WELL },
  {
    name: "answered, then closes the connection",
    share: 40,
    path: "/open/answer",
    headers: { connection: "close" },
    only: "HTTP/1.1",
    ...WELL,
  },
  { name: "answered in a pipeline", share: 10, path: "/open/answer", times: 3, only: "HTTP/1.1", ...WELL },
  { name: "uploads", share: 50, path: "/open/upload", upload: { announced: 8192, sent: 8192 }, ...WELL },
  { name: "receives a long response", share: 30, path: "/open/long", ...WELL },
  {
    name: "reads a long response slowly",
    share: 10,
    path: "/open/long",
    behave: (call, random) => {
      call.onData = () => {
        call.pause();
        setTimeout(() => call.resume(), random * 4);
      };
    },
    ...WELL,
  },
  { name: "fans out", share: 60, path: "/open/fan", deadline: [2000, 3000], ...WELL },
  { name: "fans out and never cancels", share: 30, path: "/open/forget", deadline: [2000, 3000], ...WELL },
];

/** A response that is complete before the server sees the disconnect counts as a response. */
const GONE = { seen: ["left"], ended: ["client", "response"] } as const;
const HALF = { announced: 60_000, sent: 30_000 } as const;

/** Clients that disconnect before they have a response. */
const LEAVING: readonly Kind[] = [
  { name: "disconnects at once", share: 50, path: "/open/wait", behave: disconnectAtOnce, ...GONE },
  { name: "disconnects while it waits", share: 40, path: "/open/wait", behave: disconnectWithin(10), ...GONE },
  {
    name: "disconnects from a handler that ignores its context",
    share: 20,
    path: "/open/ignore",
    behave: disconnectWithin(20),
    ...GONE,
  },
  {
    name: "disconnects during its upload",
    share: 40,
    path: "/open/upload",
    upload: HALF,
    behave: disconnectWithin(5),
    seen: ["left"],
    // The handler's read fails, and its error may be answered before the server sees that the response is closed.
    ended: ["client", "error", "response"],
  },
  {
    name: "disconnects during the response",
    share: 40,
    path: "/open/long",
    behave: (call, random) => void (call.onData = () => call.leave(random)),
    ...GONE,
  },
  {
    name: "disconnects from a pipeline",
    share: 10,
    path: "/open/wait",
    times: 3,
    only: "HTTP/1.1",
    behave: disconnectWithin(10),
    ...GONE,
  },
  {
    name: "disconnects during a fan-out",
    share: 20,
    path: "/open/forget",
    behave: disconnectWithin(3),
    seen: ["left", "200"],
    ended: ["client", "response"],
  },
];

const EXPIRED = { deadline: [5, 30], seen: ["504"], ended: ["deadline"] } as const;
const MALFORMED = { headers: { "grpc-timeout": "soon" }, path: "/open/answer" } as const;
/** Ended by `idleTimeout` or `firstByteTimeout`. */
const LIMITED = { ended: ["deadline"] } as const;

/** Requests whose deadline passes or is malformed. */
const LATE: readonly Kind[] = [
  { name: "deadline of a handler that observes its context", share: 40, path: "/open/wait", ...EXPIRED },
  { name: "deadline of a handler that ignores its context", share: 30, path: "/open/ignore", ...EXPIRED },
  {
    name: "deadline of a handler that blocks the event loop",
    share: 2,
    path: "/open/busy",
    ...EXPIRED,
    deadline: [1, 3],
  },
  { name: "deadline during a fan-out", share: 15, path: "/open/fan-long", ...EXPIRED },
  {
    name: "deadline during an upload",
    share: 10,
    path: "/open/upload",
    ...EXPIRED,
    upload: { announced: 60_000, sent: 30_000 },
  },
  { name: "deadline during the response", share: 10, path: "/open/begin", ...EXPIRED, seen: ["aborted"] },
  { name: "expired on arrival", share: 15, path: "/open/answer", ...EXPIRED, deadline: [0, 0] },
  { name: "malformed deadline", share: 30, ...MALFORMED, seen: ["400"], ended: ["refusal"] },
  {
    name: "malformed deadline, then disconnects",
    share: 10,
    ...MALFORMED,
    behave: disconnectAtOnce,
    seen: ["left"],
    ended: ["refusal", "client"],
  },
  { name: "first byte too late", share: 15, path: "/limited/wait", seen: ["504"], ...LIMITED },
  { name: "first byte too late, context ignored", share: 15, path: "/limited/ignore", seen: ["504"], ...LIMITED },
  { name: "response stalls", share: 10, path: "/limited/begin", seen: ["aborted"], ...LIMITED },
  { name: "response stalls, context ignored", share: 10, path: "/limited/begin-ignore", seen: ["aborted"], ...LIMITED },
  {
    name: "stops reading",
    share: 2,
    path: "/limited/too-long",
    behave: (call) => {
      call.onData = () => {
        call.onData = undefined;
        call.pause();
        // A client that does not read does not see that the response was aborted.
        setTimeout(() => call.resume(), 500);
      };
    },
    seen: ["aborted"],
    ...LIMITED,
  },
];

const CROWDED = { seen: ["200", "503"], ended: ["response", "refusal"] } as const;
const LEAVES = { seen: ["left", "200", "503"], ended: ["client", "response", "refusal"] } as const;

/** Requests to a gate with admission control. */
const ADMITTED: readonly Kind[] = [
  { name: "admitted", share: 50, path: "/admitted/pause", ...CROWDED },
  {
    name: "admitted, sheddable",
    share: 15,
    path: "/admitted/pause",
    headers: { "throughline-criticality": "sheddable" },
    ...CROWDED,
  },
  {
    name: "admitted, with a deadline",
    share: 20,
    path: "/admitted/pause",
    deadline: [1, 15],
    // A response that is being sent when the deadline passes is aborted.
    seen: ["200", "503", "504", "aborted"],
    ended: ["response", "refusal", "deadline"],
  },
  {
    name: "admitted, disconnects",
    share: 20,
    path: "/admitted/pause",
    behave: disconnectWithin(8),
    ...LEAVES,
  },
  { name: "admitted by an inner gate", share: 20, path: "/inner/pause", ...CROWDED },
  {
    name: "admitted by an inner gate, disconnects",
    share: 15,
    path: "/inner/pause",
    behave: disconnectWithin(8),
    ...LEAVES,
  },
  {
    name: "admitted by an inner gate, disconnects at once",
    share: 5,
    path: "/inner/pause",
    behave: disconnectAtOnce,
    ...LEAVES,
  },
];

/** The server reports kinds by their index in this list. */
export const KINDS: readonly Kind[] = [...ANSWERED, ...LEAVING, ...LATE, ...ADMITTED];
