import {
  afterFunc,
  background,
  type Context,
  createKey,
  withCancel,
  withTimeout,
  withValue,
} from "@throughline/context";

/** The cost of a large tree: time of each context, or bytes retained. */
export interface ScaleResult {
  readonly name: string;
  readonly result: string;
}

const noop = (): void => {};
const key = createKey<number>("key");

async function heap(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await new Promise(setImmediate);
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed;
}

async function timed(count: number, work: () => unknown): Promise<string> {
  const from = performance.now();
  await work();
  return `${(((performance.now() - from) / count) * 1e6).toFixed(0)} ns each`;
}

async function bytes(count: number, make: () => unknown): Promise<string> {
  const kept: unknown[] = Array.from({ length: count });
  const before = await heap();
  for (let i = 0; i < count; i++) kept[i] = make();
  const grown = (await heap()) - before;
  return `${Math.round(grown / kept.length)} bytes each`;
}

export async function measureScale(): Promise<ScaleResult[]> {
  const million = 1_000_000;
  const rows: ScaleResult[] = [];
  const add = async (name: string, result: Promise<string>): Promise<void> =>
    void rows.push({ name, result: await result });

  await add(
    "memory of a value",
    bytes(million, () => withValue(background, key, 1)),
  );
  await add(
    "memory of withCancel",
    bytes(million, () => withCancel(background)),
  );
  await add(
    "memory of withTimeout",
    bytes(million, () => withTimeout(background, 3_600_000)),
  );

  const [wide, cancelWide] = withCancel(background);
  await add(
    "observe 1,000,000 children of one context",
    timed(million, () => {
      for (let i = 0; i < million; i++) afterFunc(withCancel(wide)[0], noop);
    }),
  );
  await add(
    "cancel them all, and run all callbacks",
    timed(million, async () => {
      cancelWide();
      await null;
    }),
  );

  const alive: Context[] = [];
  await add(
    "1,000,000 armed deadlines",
    timed(million, () => {
      for (let i = 0; i < million; i++) {
        const [ctx] = withTimeout(background, 3_600_000 + Math.random() * million);
        afterFunc(ctx, noop);
        alive.push(ctx);
      }
    }),
  );
  await add(
    "... one more among them, created and canceled",
    timed(100_000, () => {
      for (let i = 0; i < 100_000; i++) {
        const [ctx, cancel] = withTimeout(background, 3_600_000 + Math.random() * million);
        afterFunc(ctx, noop);
        cancel();
      }
    }),
  );
  alive.length = 0;

  let deep = background;
  const [top, cancelTop] = withCancel(background);
  deep = top;
  await add(
    "chain of depth 100,000, observed at its end",
    timed(100_000, () => {
      for (let i = 0; i < 100_000; i++) [deep] = withCancel(deep);
      return deep.signal;
    }),
  );
  await add(
    "... canceled at its top",
    timed(100_000, () => cancelTop()),
  );

  const [root] = withCancel(background);
  const before = await heap();
  await add(
    "5,000,000 requests under one long-lived context",
    timed(5 * million, async () => {
      for (let i = 0; i < 5 * million; i++) {
        const [ctx, cancel] = withTimeout(withValue(root, key, i), 30_000);
        afterFunc(ctx, noop);
        cancel();
        if (i % 1000 === 0) await null;
      }
    }),
  );
  rows.push({
    name: "... heap growth after them",
    result: `${(((await heap()) - before) / 1024).toFixed(0)} KiB in all`,
  });
  return rows;
}
