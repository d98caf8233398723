import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const FIXTURE = fileURLToPath(new URL("drain.fixture.mjs", import.meta.url));
const CLIENTS = 60;

/** The status of a request, or the error that lost it; `undefined` if the server did not accept the request. */
type Outcome = number | { readonly lost: string } | undefined;

/** A client that keeps its connections. */
interface Client {
  request(): Promise<Outcome>;
  close(): void;
}

function clientOfHttp1(port: number): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  const request = (): Promise<Outcome> =>
    new Promise((resolve) => {
      const sent = http.request({ port, host: "127.0.0.1", agent, method: "POST" }, (response) => {
        response.on("error", (error) => resolve({ lost: error.message })).on("end", () => resolve(response.statusCode));
        response.resume();
      });
      sent.on("error", ({ code }: NodeJS.ErrnoException) =>
        resolve(code === "ECONNREFUSED" ? undefined : { lost: code! }),
      );
      sent.end("x");
    });
  return { request, close: () => agent.destroy() };
}

function clientOfHttp2(port: number): Client {
  const session = http2.connect(`http://127.0.0.1:${port}`).on("error", () => {});
  const request = (): Promise<Outcome> =>
    new Promise((resolve) => {
      // The server has sent GOAWAY.
      if (session.closed || session.destroyed) return resolve(undefined);
      const stream = session.request({ ":method": "POST" });
      let status: number | undefined;
      stream.on("response", (head) => (status = head[":status"]));
      stream.on("end", () => resolve(status));
      stream.on("error", ({ code, message }: NodeJS.ErrnoException) =>
        // The server has not processed a stream after the last one that GOAWAY names (RFC 9113, 6.8).
        resolve(stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM ? undefined : { lost: `${code} ${message}` }),
      );
      stream.end("x");
      stream.resume();
    });
  return { request, close: () => session.destroy() };
}

/** Runs one server until its drain ends, while clients continue to send. */
async function outcomesOf(host: string): Promise<{ outcomes: Outcome[]; code: number | null; signal: string | null }> {
  const child: ChildProcess = spawn(process.execPath, [FIXTURE, host], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit") as Promise<[number | null, string | null]>;
  try {
    const [line] = (await once(child.stdout!, "data")) as [Buffer];
    const client = (host === "node:http2" ? clientOfHttp2 : clientOfHttp1)(Number(String(line)));
    const outcomes: Outcome[] = [];
    async function sendOn(): Promise<void> {
      for (let outcome = await client.request(); outcome !== undefined; outcome = await client.request()) {
        outcomes.push(outcome);
        await delay(Math.random() * 4);
      }
    }
    // Every client has a connection before the drain starts: the server refuses connections that it has not accepted.
    await Promise.all(Array.from({ length: CLIENTS }, client.request));
    const clients = Array.from({ length: CLIENTS }, sendOn);
    // Start the drain under load, however slow the machine is.
    while (outcomes.length <= CLIENTS) await delay(10);
    child.kill("SIGTERM");
    await delay(20);
    child.kill("SIGTERM");
    await Promise.all(clients);
    client.close();
    const [code, signal] = await ended;
    return { outcomes, code, signal };
  } finally {
    child.kill("SIGKILL");
  }
}

const HOSTS = ["node:http", "Express", "Koa", "a fetch handler", "node:http2"];
/** More rounds find rarer faults. */
const ROUNDS = 2;

it.concurrent.each(HOSTS)(
  "a process that serves with %s and receives SIGTERM twice while it drains answers every accepted request",
  { timeout: 60_000 },
  async (host) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { outcomes, code, signal } = await outcomesOf(host);

      expect(outcomes.filter((outcome) => outcome !== 200 && outcome !== 503)).toEqual([]);
      expect(outcomes.filter((outcome) => outcome === 200).length).toBeGreaterThan(CLIENTS);
      expect([code, signal]).toEqual([0, null]);
    }
  },
);
