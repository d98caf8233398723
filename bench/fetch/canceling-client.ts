// A client of one variant in a process of its own. It starts calls, cancels them on request and reports the time of the
// cancel.
import { background, withCancel } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { fanOut } from "@throughline/resilience";

export type Variant = "one AbortController (floor)" | "ours: fanOut under withCancel" | "AbortSignal.any for each call";

/** Commands from the benchmark. */
export type Command = "call" | "cancel" | "report";

const [variant, url, count] = process.argv.slice(2) as [Variant, string, string];
const items = Array.from({ length: Number(count) }, (_, index) => index);

/** Starts the calls and returns the function that cancels them. */
type Start = () => () => void;

const ours = createFetch();

const starts: Record<Variant, Start> = {
  "one AbortController (floor)": () => {
    const controller = new AbortController();
    ignoreErrors(Promise.all(items.map((item) => fetch(url + item, { signal: controller.signal }))));
    return () => controller.abort();
  },
  "ours: fanOut under withCancel": () => {
    const [ctx, cancel] = withCancel(background);
    ignoreErrors(fanOut(ctx, items, (_child, item) => ours(url + item)));
    return () => cancel();
  },
  "AbortSignal.any for each call": () => {
    const controller = new AbortController();
    const signal = (): AbortSignal => AbortSignal.any([controller.signal, AbortSignal.timeout(30_000)]);
    ignoreErrors(Promise.all(items.map((item) => fetch(url + item, { signal: signal() }))));
    return () => controller.abort();
  },
};

function ignoreErrors(work: Promise<unknown>): void {
  work.catch(() => {});
}

let cancel = (): void => {};
let at = 0n;
process.on("message", (command: Command) => {
  if (command === "call") {
    // Collect the garbage of the previous round before this one.
    globalThis.gc?.();
    cancel = starts[variant]();
  } else if (command === "cancel") {
    at = process.hrtime.bigint();
    cancel();
  } else {
    // Not at the cancel: sending the message would delay the closing of sockets.
    process.send!(String(at));
  }
});
process.once("disconnect", () => process.exit(0));
process.send!("ready");
