// What a Context costs on its way to a worker thread and to a child process: `npm run -w bench bench:workers`.
import { fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { Worker } from "node:worker_threads";

import { background, withCancel, withTimeout } from "@throughline/context";
import { linkCancel, toWire } from "@throughline/messages";

import { median, stayAwake } from "../harness.ts";
import type { Reported } from "./receiver.ts";

const MESSAGES = 3000;
const WARM_UP = 500;
const CANCELS = 500;
const RECEIVER = new URL("receiver.ts", import.meta.url);

interface Receiver {
  readonly port: Parameters<typeof linkCancel>[1];
  post(message: object): void;
  /** Emits the id of a message, followed by what kind of answer it is. */
  readonly answers: EventEmitter;
  end(): void;
}

function listen(source: { on(event: "message", listener: (message: Reported) => void): unknown }): EventEmitter {
  const answers = new EventEmitter();
  source.on("message", (message) => answers.emit(`${message.id} ${"ended" in message ? "ended" : "begun"}`, message));
  return answers;
}

function startThread(): Receiver {
  const worker = new Worker(RECEIVER);
  const end = (): void => void worker.terminate();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- workers have no target origin
  return { port: worker, post: (message) => worker.postMessage(message), answers: listen(worker), end };
}

function startProcess(): Receiver {
  const child = fork(RECEIVER);
  const end = (): void => void child.kill();
  return { port: child, post: (message) => void child.send(message), answers: listen(child), end };
}

let ids = 0;

/** Microseconds from a message to its first answer, one message after the other. */
async function roundTrips({ post, answers }: Receiver, withWire: boolean): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < WARM_UP + MESSAGES; index += 1) {
    const [ctx, cancel] = withTimeout(background, "1m");
    const id = (ids += 1);
    const from = performance.now();
    const answered = once(answers, `${id} begun`);
    post(withWire ? { id, wire: toWire(ctx) } : { id });
    await answered;
    if (index >= WARM_UP) times.push((performance.now() - from) * 1000);
    cancel();
  }
  return times;
}

/** Microseconds from `cancel()` to the end of the other side's Context, and milliseconds by which its deadline is off. */
async function cancels({ port, post, answers }: Receiver): Promise<{ took: number[]; off: number[] }> {
  const took: number[] = [];
  const off: number[] = [];
  for (let index = 0; index < CANCELS; index += 1) {
    const [parent, cancelParent] = withTimeout(background, "1m");
    const [ctx, cancel] = withCancel(parent);
    const id = (ids += 1);
    const wire = toWire(ctx);
    const stop = linkCancel(ctx, port, wire);
    const deadline = performance.timeOrigin + performance.now() + ctx.remaining();
    post({ id, wire });
    const [{ left, date }] = (await once(answers, `${id} begun`)) as [{ left: number; date: number }];
    off.push(Math.abs(date + left - deadline));
    const ending = once(answers, `${id} ended`);
    const from = process.hrtime.bigint();
    cancel();
    const [{ ended }] = (await ending) as [{ ended: string }];
    took.push(Number(BigInt(ended) - from) / 1000);
    stop();
    cancelParent();
  }
  return { took, off };
}

const p99 = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;

const sleep = stayAwake();
for (const [name, start] of [
  ["worker thread", startThread],
  ["child process", startProcess],
] as const) {
  const receiver = start();
  const plain = await roundTrips(receiver, false);
  const wired = await roundTrips(receiver, true);
  const { took, off } = await cancels(receiver);
  receiver.end();
  console.log(`${name}, Node ${process.version}`);
  console.log(`  round trip: ${median(plain).toFixed(0)} us without a wire, ${median(wired).toFixed(0)} us with it`);
  console.log(`  cancel: median ${median(took).toFixed(0)} us, 99th percentile ${p99(took).toFixed(0)} us`);
  console.log(`  deadline: off by ${median(off).toFixed(2)} ms, at most ${Math.max(...off).toFixed(2)} ms`);
}
sleep();
