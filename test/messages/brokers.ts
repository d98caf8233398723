import { EventEmitter } from "node:events";

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, headers, nanos } from "@nats-io/transport-node";
import * as onAmqplib from "@throughline/messages/amqplib";
import * as onBullmq from "@throughline/messages/bullmq";
import * as onGraphile from "@throughline/messages/graphile-worker";
import * as onNats from "@throughline/messages/nats";
import * as onPgBoss from "@throughline/messages/pg-boss";
import { connect as connectAmqp } from "amqplib";
import { type Job, Queue, Worker } from "bullmq";
import { Logger, makeWorkerUtils, run, type Runner } from "graphile-worker";
import pg from "pg";
import { PgBoss } from "pg-boss";

import { hasNats, startNats } from "../support/nats.ts";
import { postgresPrograms, startPostgres } from "../support/postgres.ts";
import { hasRabbitmq, startRabbitmq } from "../support/rabbitmq.ts";
import { hasRedis, startRedis } from "../support/redis.ts";
import type { Body, BrokerHost } from "./broker.ts";

/** How many messages a consumer works on at once. */
const CONCURRENCY = 10;
const MAX_ATTEMPTS = 5;

const missingPostgres = postgresPrograms() === undefined ? "PostgreSQL is not installed" : undefined;

const amqplib: BrokerHost = {
  name: "amqplib",
  system: "rabbitmq",
  missing: hasRabbitmq() ? undefined : "RabbitMQ is not installed",
  startServer: startRabbitmq,
  async connect(url, queue) {
    const connection = await connectAmqp(url);
    connection.on("error", () => {});
    const channel = await connection.createConfirmChannel();
    const consuming = await connection.createChannel();
    await consuming.prefetch(CONCURRENCY);
    await channel.assertExchange(`${queue}.dlx`, "fanout");
    await channel.assertQueue(`${queue}.dead`);
    await channel.bindQueue(`${queue}.dead`, `${queue}.dlx`, "");
    await channel.assertQueue(queue, {
      deadLetterExchange: `${queue}.dlx`,
      durable: true,
      arguments: { "x-queue-type": "quorum" },
    });
    const dead: string[] = [];
    return {
      wrappable: { target: channel, method: "publish" },
      publish: (ctx, body, options) =>
        onAmqplib.publish(ctx, channel, queue, Buffer.from(JSON.stringify(body)), {
          ...options,
          clientOptions: { persistent: true },
        }),
      consume: (work, { onConsumed, ...options }) => {
        const bodyOf = ({ content }: { content: Buffer }): Body => JSON.parse(content.toString()) as Body;
        return onAmqplib.consume(consuming, queue, (ctx, message) => work(ctx, bodyOf(message)), {
          ...options,
          maxAttempts: MAX_ATTEMPTS,
          onConsumed: (consumed, message) => onConsumed?.(consumed, bodyOf(message)),
        });
      },
      async dead() {
        for (;;) {
          const message = await channel.get(`${queue}.dead`, { noAck: true });
          if (message === false) return dead;
          dead.push((JSON.parse(message.content.toString()) as Body).name);
        }
      },
      waiting: async () => (await channel.checkQueue(queue)).messageCount,
      takeAway: () => consuming.close(),
      close: () => connection.close().catch(() => {}),
    };
  },
};

const nats: BrokerHost = {
  name: "nats",
  system: "nats",
  missing: hasNats() ? undefined : "NATS is not installed",
  startServer: () => startNats(),
  async connect(url, queue) {
    const connection = await connect({ servers: url });
    const client = jetstream(connection);
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: queue, subjects: [queue], retention: "workqueue" });
    await manager.consumers.add(queue, {
      durable_name: "workers",
      ack_policy: "explicit",
      ack_wait: nanos(1000),
      max_deliver: MAX_ATTEMPTS,
    });
    const consumer = await client.consumers.get(queue, "workers");
    const dead: string[] = [];
    const terminated = connection.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.${queue}.workers`);
    const readDead = async (): Promise<void> => {
      for await (const advisory of terminated) {
        const { stream_seq: seq } = advisory.json<{ stream_seq: number }>();
        dead.push(names.get(seq) ?? "");
      }
    };
    const names = new Map<number, string>();
    void readDead();
    return {
      wrappable: { target: client, method: "publish" },
      async publish(ctx, body, options) {
        const { seq } = await onNats.publish(ctx, client, queue, JSON.stringify(body), headers(), options);
        names.set(seq, body.name);
      },
      consume: (work, { onConsumed, ...options }) =>
        onNats.consume(consumer, (ctx, message) => work(ctx, message.json()), {
          ...options,
          concurrency: CONCURRENCY,
          retryDelay: 50,
          onConsumed: (consumed, message) => onConsumed?.(consumed, message.json()),
        }),
      dead: async () => dead,
      close: () => connection.close(),
    };
  },
};

const bullmq: BrokerHost = {
  name: "bullmq",
  system: "bullmq",
  missing: hasRedis() ? undefined : "Redis is not installed",
  startServer: startRedis,
  async connect(url, name) {
    const connection = { url, maxRetriesPerRequest: null };
    const queue = new Queue(name, { connection });
    queue.on("error", () => {});
    await queue.waitUntilReady();
    let worker: Worker | undefined;
    let lastId: string | undefined;
    return {
      wrappable: { target: queue, method: "add" },
      publish: (ctx, body, options) =>
        onBullmq.publish(ctx, queue, "job", body, { ...options, clientOptions: { attempts: MAX_ATTEMPTS } }),
      async consume(work, { onConsumed, ...options }) {
        worker = onBullmq.consume(
          (processor) =>
            new Worker(name, processor, {
              connection,
              concurrency: CONCURRENCY,
              lockDuration: 500,
              stalledInterval: 250,
              maxStalledCount: MAX_ATTEMPTS,
            }),
          (ctx, job: Job<Body>) => {
            lastId = job.id;
            return work(ctx, job.data);
          },
          { ...options, onConsumed: (consumed, job) => onConsumed?.(consumed, job.data) },
        );
        worker.on("error", () => {});
        await worker.waitUntilReady();
      },
      async dead() {
        const failed = (await queue.getFailed()) as Job<Body>[];
        return failed.map(({ data }) => data.name);
      },
      waiting: () => queue.getWaitingCount(),
      takeAway: async () => worker!.cancelJob(lastId!),
      async close() {
        await worker?.close();
        await queue.close();
      },
    };
  },
};

const pgBoss: BrokerHost = {
  name: "pg-boss",
  system: "pg-boss",
  tracesItself: true,
  missing: missingPostgres,
  startServer: () => startPostgres(),
  async connect(url, queue, { batchSize = 1 } = {}) {
    const boss = new PgBoss({
      connectionString: url,
      max: 4,
      superviseIntervalSeconds: 1,
      monitorIntervalSeconds: 1,
    });
    boss.on("error", () => {});
    await boss.start();
    await boss.createQueue(`${queue}-dead`);
    await boss.createQueue(queue, {
      retryLimit: MAX_ATTEMPTS - 1,
      retryDelay: 0,
      deadLetter: `${queue}-dead`,
      expireInSeconds: 3,
    });
    const dead: string[] = [];
    let lastId: string | undefined;
    return {
      wrappable: { target: boss, method: "send" },
      publish: (ctx, body, options) => onPgBoss.publish(ctx, boss, queue, body, options),
      consume: (work, { onConsumed, ...options }) =>
        onPgBoss.consume<Body>(
          boss,
          queue,
          (ctx, { id, data }) => {
            lastId = id;
            return work(ctx, data);
          },
          {
            ...options,
            onConsumed: (consumed, { data }) => onConsumed?.(consumed, data),
            clientOptions: {
              pollingIntervalSeconds: 0.5,
              localConcurrency: CONCURRENCY,
              batchSize,
              burstWhenBatchFull: batchSize > 1,
            },
          },
        ),
      async dead() {
        const jobs = await boss.fetch<Body>(`${queue}-dead`, { batchSize: 100 });
        dead.push(...jobs.map(({ data }) => data.name));
        return dead;
      },
      waiting: async () => (await boss.findJobs(queue)).filter(({ state }) => state === "retry").length,
      takeAway: () => boss.cancel(queue, lastId!),
      close: () => boss.stop({ graceful: false }),
    };
  },
};

const graphile: BrokerHost = {
  name: "graphile-worker",
  system: "graphile-worker",
  missing: missingPostgres,
  startServer: () => startPostgres(),
  async connect(url, queue) {
    const pool = new pg.Pool({ connectionString: url, max: 12 });
    pool.on("error", () => {});
    pool.on("connect", (client) => client.on("error", () => {}));
    const logger = new Logger(() => () => {});
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
    let runner: Runner | undefined;
    return {
      wrappable: { target: utils, method: "addJob" },
      publish: (ctx, body, options) =>
        onGraphile.publish(ctx, utils, queue, body, { ...options, clientOptions: { maxAttempts: MAX_ATTEMPTS } }),
      async consume(work, { onConsumed, ...options }) {
        runner = await onGraphile.consume(
          (task) =>
            run({
              pgPool: pool,
              logger,
              concurrency: CONCURRENCY,
              pollInterval: 200,
              noHandleSignals: true,
              events: new EventEmitter(),
              taskList: { [queue]: task },
            }),
          (ctx, { payload }) => work(ctx, payload as Body),
          { ...options, utils, onConsumed: (consumed, { payload }) => onConsumed?.(consumed, payload as Body) },
        );
      },
      async dead() {
        const { rows } = await pool.query<{ name: string }>(
          `select payload->>'name' as name from graphile_worker._private_jobs
           join graphile_worker._private_tasks t on t.id = task_id
           where identifier = $1 and attempts >= max_attempts`,
          [queue],
        );
        return rows.map(({ name }) => name);
      },
      async waiting() {
        const { rows } = await pool.query(
          `select from graphile_worker._private_jobs join graphile_worker._private_tasks t on t.id = task_id
           where identifier = $1 and max_attempts - attempts = $2 and run_at <= now() and locked_at is null`,
          [queue, MAX_ATTEMPTS],
        );
        return rows.length;
      },
      async recover() {
        const { rows } = await pool.query<{ by: string }>(
          "select distinct locked_by as by from graphile_worker._private_jobs where locked_at < now() - interval '1s'",
        );
        await utils.forceUnlockWorkers(rows.map(({ by }) => by));
      },
      async close() {
        await runner?.stop().catch(() => {});
        await utils.release();
        await pool.end();
      },
    };
  },
};

export const brokers: readonly BrokerHost[] = [amqplib, nats, bullmq, pgBoss, graphile];
