import type http from "node:http";

import { createFetch } from "@throughline/fetch";
import { requestContext } from "@throughline/http";
import { expect, it } from "vitest";

import { cleanUpAfterEach, serve } from "./support/loopback.ts";

cleanUpAfterEach();

async function serveInContext(listener: http.RequestListener): Promise<string> {
  return (await serve(requestContext(listener))).url;
}

const CALLS = 300;
const TRIES = 3;

/** Calls the first of three tiers in front of a server that is down, and counts the requests to that server. */
async function attemptsAtTheServer(fetchOf: () => (url: string) => Promise<Response>): Promise<number> {
  let attempts = 0;
  const bottom = await serveInContext((_req, res) => {
    attempts += 1;
    res.writeHead(503).end();
  });
  const tier = async (below: string): Promise<string> => {
    const fetch = fetchOf();
    return serveInContext(async (_req, res) => {
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

it("three tiers that retry do not multiply the load on a server that is down", { timeout: 60_000 }, async () => {
  const backoff = { base: 1, max: 1 };
  const attempts = await attemptsAtTheServer(() => createFetch({ retry: { attempts: TRIES, backoff } }));

  // Each tier may add 20 % of its requests, and 10 requests per second over 10 seconds.
  const bound = [1, 2, 3].reduce((load) => 1.2 * load + 100, CALLS);
  expect(attempts).toBeGreaterThan(CALLS);
  expect(attempts).toBeLessThanOrEqual(bound);
});

it("three tiers that retry without a budget multiply the load", { timeout: 60_000 }, async () => {
  const backoff = { base: 0, max: 0 };
  const naive = await attemptsAtTheServer(() => createFetch({ retry: { attempts: TRIES, backoff, budget: "none" } }));

  expect(naive).toBe(CALLS * TRIES ** 3);
});
