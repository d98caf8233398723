// A hundred calls that are given up midway, in one of the ways that are compared: a process of its own, which tells when it gave up.
import { background, withCancel } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { fanOut } from "@throughline/resilience";

export type Way = "one AbortController (floor)" | "ours: fanOut under withCancel" | "AbortSignal.any for each call";

/** What the server tells it to do. */
export type Order = "call" | "cancel" | "tell";

const [way, url, count] = process.argv.slice(2) as [Way, string, string];
const items = Array.from({ length: Number(count) }, (_, index) => index);

/** Starts the calls, and returns what ends them. */
type Start = () => () => void;

const ours = createFetch();

const starts: Record<Way, Start> = {
  "one AbortController (floor)": () => {
    const controller = new AbortController();
    forget(Promise.all(items.map((item) => fetch(url + item, { signal: controller.signal }))));
    return () => controller.abort();
  },
  "ours: fanOut under withCancel": () => {
    const [ctx, cancel] = withCancel(background);
    forget(fanOut(ctx, items, (_child, item) => ours(url + item)));
    return () => cancel();
  },
  "AbortSignal.any for each call": () => {
    const controller = new AbortController();
    const signal = (): AbortSignal => AbortSignal.any([controller.signal, AbortSignal.timeout(30_000)]);
    forget(Promise.all(items.map((item) => fetch(url + item, { signal: signal() }))));
    return () => controller.abort();
  },
};

function forget(work: Promise<unknown>): void {
  work.catch(() => {});
}

let cancel = (): void => {};
let at = 0n;
process.on("message", (order: Order) => {
  if (order === "call") {
    // What one round leaves behind is not to be collected in another.
    globalThis.gc?.();
    cancel = starts[way]();
  } else if (order === "cancel") {
    at = process.hrtime.bigint();
    cancel();
  } else {
    // Only now, as to tell takes time in which no socket is closed.
    process.send!(String(at));
  }
});
process.once("disconnect", () => process.exit(0));
process.send!("ready");
