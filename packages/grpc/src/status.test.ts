import { background, type Context, current, run, withCancel, withTimeout } from "@throughline/context";
import { describe, expect, it } from "vitest";

import { clientOf, type EchoCalls, type Handlers, serveEcho } from "./echo.fixture.ts";

/** What a status tells its caller, who may be a stranger. */
interface Told extends Error {
  readonly code: number;
  readonly details: string;
}

const toldOf = async (call: Promise<unknown>): Promise<Told> => (await call.catch((error: unknown) => error)) as Told;

describe("a stranger is not told who has set a deadline", () => {
  const within = (ctx = current()): Context => withTimeout(ctx, 20, { source: "INTERNAL fraud rule 7" })[0];

  const WAYS: readonly [string, Handlers, (client: EchoCalls) => Promise<unknown>][] = [
    [
      "a handler that calls back with its error",
      {
        Unary: (_call, callback) => {
          const ctx = within();
          ctx.signal.addEventListener("abort", () => callback(ctx.err() as never));
        },
      },
      (client) => client.unary("question"),
    ],
    [
      "a handler that ends its stream with its error",
      {
        ServerStream: (call) => {
          const ctx = within();
          ctx.signal.addEventListener("abort", () => void call.emit("error", ctx.err()));
        },
      },
      (client) => client.serverStream("question"),
    ],
  ];

  it.each(WAYS)("by %s", async (_way, handlers, call) => {
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    expect(await toldOf(call(client))).toMatchObject({ code: 4, details: "Deadline exceeded: budget 20 ms" });
  });

  it("by a guard", async () => {
    const handlers: Handlers = {
      Unary: (_call, callback) => {
        current().signal.addEventListener("abort", () => callback(new Error("the database said no")));
      },
    };
    await using served = await serveEcho(handlers, { guards: [({ ctx }) => within(ctx)] });
    using client = clientOf(served.address);
    expect(await toldOf(client.unary("question"))).toMatchObject({
      code: 4,
      details: "Deadline exceeded: budget 20 ms",
    });
  });
});

it("a stranger is not told why a call further in was cancelled, by a handler that passes its client's error on", async () => {
  const running = Promise.withResolvers<void>();
  await using behind = await serveEcho({ Unary: () => running.resolve() });
  using inner = clientOf(behind.address);
  const causes: unknown[] = [];
  const [ctx, cancel] = withCancel(background);
  await using served = await serveEcho({
    Unary: (_call, callback) => {
      run(ctx, () => inner.unary("question")).catch((error: Error) => (causes.push(error.cause), callback(error)));
    },
  });
  using client = clientOf(served.address);
  const told = toldOf(client.unary("question"));
  await running.promise;
  cancel(new Error("INTERNAL fraud rule 7"));
  expect(await told).toMatchObject({ code: 1, details: "context canceled" });
  expect(causes).toEqual([ctx.err()]);
});
