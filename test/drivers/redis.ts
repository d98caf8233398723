import { background, type Context, run, withTimeout } from "@throughline/context";
import { withContext as withContextOfIoredis } from "@throughline/drivers/ioredis";
import { withContext as withContextOfRedis } from "@throughline/drivers/redis";
import { Redis } from "ioredis";
import { createClient } from "redis";

import type { DatabaseServer } from "../support/postgres.ts";
import { hasRedis, startRedis } from "../support/redis.ts";
import { type DriverHost, POOL_SIZE, type RunningHost } from "./host.ts";

const missing = hasRedis() ? undefined : "Redis is not installed";

/** A wrapped client, reduced to what the tests send. */
export interface RedisUnderTest {
  blpop(key: string, seconds: number): Promise<unknown>;
  lpop(key: string): Promise<unknown>;
  send(...command: string[]): Promise<unknown>;
  close(): void;
}

export const redisClients: Record<string, (server: DatabaseServer) => Promise<RedisUnderTest>> = {
  "redis: withContext(client)": async ({ url }) => {
    const client = createClient({ url });
    await client.connect();
    const wrapped = withContextOfRedis(client, { maxBlocking: POOL_SIZE });
    return {
      blpop: (key, seconds) => wrapped.blPop(key, seconds),
      lpop: (key) => wrapped.lPop(key),
      send: (...command) => wrapped.sendCommand(command),
      close: () => wrapped.destroy(),
    };
  },
  "ioredis: withContext(client)": async ({ port }) => {
    const client = new Redis({ port, host: "127.0.0.1" });
    const wrapped = withContextOfIoredis(client, { maxBlocking: POOL_SIZE });
    return {
      blpop: (key, seconds) => wrapped.blpop(key, seconds),
      lpop: (key) => wrapped.lpop(key),
      send: (command, ...args) => wrapped.call(command!, ...args),
      close: () => wrapped.disconnect(),
    };
  },
};

async function start(open: (server: DatabaseServer) => Promise<RedisUnderTest>): Promise<RunningHost> {
  const server = await startRedis();
  const client = await open(server);
  const admin = new Redis({ port: server.port, host: "127.0.0.1" });
  const clients = async (): Promise<string[]> =>
    String(await admin.client("LIST"))
      .trim()
      .split("\n")
      .filter((line) => !line.includes("cmd=client|list"));
  const wait = (ctx: Context, ms: number): Promise<unknown> => run(ctx, () => client.blpop("empty", ms / 1000));
  return {
    slow: wait,
    fail: (ctx) => run(ctx, () => client.send("NOSUCHCOMMAND")),
    async innocent(ms) {
      const [ctx, cancel] = withTimeout(background, "10s");
      await wait(ctx, ms);
      cancel();
    },
    running: async () => (await clients()).filter((line) => / flags=\w*b/.test(line)).length,
    // One is shared by all commands that do not wait.
    connections: async () => (await clients()).length - 1,
    async stop() {
      client.close();
      admin.disconnect();
      await server.stop();
    },
  };
}

export const redisHosts: readonly DriverHost[] = Object.entries(redisClients).map(([name, open]) => ({
  name,
  missing,
  start: () => start(open),
}));
