import { ServerDraining } from "@throughline/http";
import { describe, expect, it } from "vitest";

import { drain } from "./drain.ts";
import { clientOf, serveEcho } from "./echo.fixture.ts";
import { recordingHandlers } from "./recording-handlers.fixture.ts";

describe("drain", () => {
  it("waits for active calls and accepts no new ones", async () => {
    const running = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using served = await serveEcho({
      Unary: (_call, callback) => {
        running.resolve();
        void go.promise.then(() => callback(null, "answer"));
      },
    });
    using client = clientOf(served.address);
    const answer = client.unary("question");
    await running.promise;
    const drained = drain(served.server, { shutdownTimeout: "10s" });
    expect(drain(served.server, { shutdownTimeout: "1s" })).toBe(drained);
    using late = clientOf(served.address);
    await expect(late.unary("question")).rejects.toMatchObject({ code: 14 });
    go.resolve();
    expect(await answer).toBe("answer");
    await drained;
  });

  it("cancels the remaining calls with ServerDraining, and answers those that do not answer", async () => {
    const { handlers, seen } = recordingHandlers(true);
    await using served = await serveEcho(handlers);
    using client = clientOf(served.address);
    const failed = client.unary("question").catch((error: unknown) => error);
    const { ended } = await seen;
    const drained = drain(served.server, { shutdownTimeout: 30 });
    expect(await ended).toBeInstanceOf(ServerDraining);
    expect(await failed).toMatchObject({ code: 14, details: "Server draining" });
    await drained;
  });

  it("rejects an argument that is not a server, and a timeout that is not a duration", async () => {
    expect(() => drain({} as never, { shutdownTimeout: "1s" })).toThrow(/'server' must be a Server of @grpc\/grpc-js/);
    await using served = await serveEcho({});
    expect(() => drain(served.server, { shutdownTimeout: "soon" as never })).toThrow(/'shutdownTimeout' must be/);
  });
});
