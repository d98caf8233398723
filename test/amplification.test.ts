import http from "node:http";
import type { AddressInfo } from "node:net";

import { createFetch } from "@throughline/fetch";
import { requestContext } from "@throughline/http";
import { afterEach, expect, it } from "vitest";

const servers: http.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: http.RequestListener): Promise<string> {
  const server = http.createServer(requestContext(listener)).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const CALLS = 300;
const TRIES = 3;

/** Sends so many calls to the uppermost of three tiers whose lowest is down, and counts those that arrive there. */
async function attemptsAtTheBottom(fetchOf: () => (url: string) => Promise<Response>): Promise<number> {
  let attempts = 0;
  const bottom = await serve((_req, res) => {
    attempts += 1;
    res.writeHead(503).end();
  });
  const tier = async (below: string): Promise<string> => {
    const fetch = fetchOf();
    return serve(async (_req, res) => {
      const response = await fetch(below);
      await response.arrayBuffer();
      res.writeHead(response.status).end();
    });
  };
  const top = await tier(await tier(await tier(bottom)));
  let left = CALLS;
  const client = async (): Promise<void> => {
    while (left-- > 0) await (await globalThis.fetch(top)).arrayBuffer();
  };
  await Promise.all(Array.from({ length: 20 }, client));
  return attempts;
}

it("three tiers that retry do not multiply the load on a fourth that is down", { timeout: 60_000 }, async () => {
  const backoff = { base: 1, max: 1 };
  const attempts = await attemptsAtTheBottom(() => createFetch({ retry: { attempts: TRIES, backoff } }));

  // Each tier may add a fifth of what it is asked for, and ten a second over ten seconds.
  const bound = [1, 2, 3].reduce((load) => 1.2 * load + 100, CALLS);
  expect(attempts).toBeGreaterThan(CALLS);
  expect(attempts).toBeLessThanOrEqual(bound);
});

it("without a budget they would", { timeout: 60_000 }, async () => {
  const backoff = { base: 0, max: 0 };
  const naive = await attemptsAtTheBottom(() => createFetch({ retry: { attempts: TRIES, backoff, budget: "none" } }));

  expect(naive).toBe(CALLS * TRIES ** 3);
});
