import type { Kind } from "./kind.ts";

const WELL = { seen: ["200"], ended: ["response"] } as const;

/** Requests that go well. */
export const ANSWERED: readonly Kind[] = [
  { name: "answered", share: 320, path: "/open/answer", ...WELL },
  {
    name: "answered, and the connection closed",
    share: 40,
    path: "/open/answer",
    headers: { connection: "close" },
    only: "HTTP/1.1",
    ...WELL,
  },
  { name: "answered in a pipeline", share: 10, path: "/open/answer", times: 3, only: "HTTP/1.1", ...WELL },
  { name: "uploads", share: 50, path: "/open/upload", upload: { announced: 8192, sent: 8192 }, ...WELL },
  { name: "gets a long answer", share: 30, path: "/open/long", ...WELL },
  {
    name: "reads a long answer slowly",
    share: 10,
    path: "/open/long",
    behave: (call, luck) => {
      call.onData = () => {
        call.pause();
        setTimeout(() => call.resume(), luck * 4);
      };
    },
    ...WELL,
  },
  { name: "fans out", share: 60, path: "/open/fan", deadline: [2000, 3000], ...WELL },
  { name: "fans out, and forgets to cancel", share: 30, path: "/open/forget", deadline: [2000, 3000], ...WELL },
];
