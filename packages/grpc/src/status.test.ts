import { background, type Context, current, run, withCancel, withTimeout } from "@throughline/context";
import { describe, expect, it } from "vitest";

import { clientOf, type EchoCalls, type Handlers, serveEcho } from "./echo.fixture.ts";

/** The error of a call, with what the server sent. */
interface CallError extends Error {
  readonly code: number;
  readonly details: string;
}

const errorOf = async (call: Promise<unknown>): Promise<CallError> =>
  (await call.catch((error: unknown) => error)) as CallError;

describe("a status does not disclose the internal source of a deadline", () => {
  const within = (ctx = current()): Context => withTimeout(ctx, 20, { source: "INTERNAL fraud rule 7" })[0];

  const WAYS: readonly [string, Handlers, (client: EchoCalls) => Promise<unknown>][] = [
    [
      "a handler that calls back with the error of its context",
      {
        Unary: (_call, callback) => {
          const ctx = within();
          ctx.signal.addEventListener("abort", () => callback(ctx.err() as never));
        },
      },
      (client) => client.unary("question"),
    ],
    [
      "a handler that ends its stream with the error of its context",
      {
        ServerStream: (call) => {
          const ctx = within();
          ctx.signal.addEventListener("abort", () => void call.emit("error", ctx.err()));
        },
      },
      (client) => client.serverStream("question"),
    ],
  ];

  it.each(WAYS)("that ended %s", async (_way, handlers, call) => {
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    expect(await errorOf(call(client))).toMatchObject({ code: 4, details: "Deadline exceeded: budget 20 ms" });
  });

  it("that a guard has set", async () => {
    const handlers: Handlers = {
      Unary: (_call, callback) => {
        current().signal.addEventListener("abort", () => callback(new Error("the database said no")));
      },
    };
    await using served = await serveEcho(handlers, { guards: [({ ctx }) => within(ctx)] });
    using client = clientOf(served.address);
    expect(await errorOf(client.unary("question"))).toMatchObject({
      code: 4,
      details: "Deadline exceeded: budget 20 ms",
    });
  });
});

it("a status does not disclose why a downstream call was canceled, if a handler returns its error", async () => {
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
  const failed = errorOf(client.unary("question"));
  await running.promise;
  cancel(new Error("INTERNAL fraud rule 7"));
  expect(await failed).toMatchObject({ code: 1, details: "context canceled" });
  expect(causes).toEqual([ctx.err()]);
});
