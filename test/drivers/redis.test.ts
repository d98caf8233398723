import { background, run, withCancel, withTimeout } from "@throughline/context";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { DatabaseServer } from "../support/postgres.ts";
import { hasRedis, startRedis } from "../support/redis.ts";
import { redisClients, type RedisUnderTest } from "./redis.ts";

describe.runIf(hasRedis()).each(Object.entries(redisClients))("%s", (_name, open) => {
  let server: DatabaseServer;
  let client: RedisUnderTest;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis();
    client = await open(server);
    admin = new Redis({ port: server.port, host: "127.0.0.1" });
  });
  afterAll(async () => {
    client.close();
    admin.disconnect();
    await server.stop();
  });

  it.each(["blpop", "lpop"] as const)(
    "never loses an element that %s has taken when its context ends",
    async (method) => {
      let received = 0;
      const rounds = 300;
      for (let round = 0; round < rounds; round++) {
        const [ctx, cancel] = withCancel(background);
        if (method === "lpop") await admin.rpush("queue", "element");
        const taken = run(ctx, () => (method === "blpop" ? client.blpop("queue", 1) : client.lpop("queue"))).then(
          (element) => (element === null ? 0 : 1),
          () => 0,
        );
        if (method === "blpop") {
          // The element arrives at about the time of the cancel.
          setTimeout(() => void admin.rpush("queue", "element"), Math.random() * 2);
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
        }
        cancel();
        received += await taken;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));

      expect(received + (await admin.llen("queue"))).toBe(rounds);
      await admin.del("queue");
    },
  );

  it("leaves the client usable for others while a command waits", async () => {
    const [ctx, cancel] = withTimeout(background, "10s");
    const waiting = run(ctx, () => client.blpop("nothing", 10)).catch((error: unknown) => error);
    expect(await run(ctx, () => client.send("PING"))).toBe("PONG");
    cancel();
    expect(await waiting).toBe(ctx.err());
  });
});
