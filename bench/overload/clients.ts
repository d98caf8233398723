import { Agent, get } from "node:http";

import type { Answer } from "../simulate/measures.ts";
import { LEAVES_AT, PATIENCE } from "./variants.ts";

/** How often a client tries: as a person who reloads the page. */
const ATTEMPTS = 3;

/**
 * Clients that do not wait for each other (an open loop), so that a slow server does not slow down its load. They come
 * at random, leave after {@link PATIENCE}, and try again.
 */
export class Clients {
  readonly answers: Answer[] = [];
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 4096 });
  readonly #started = performance.now();
  readonly #pending = new Set<Promise<void>>();

  constructor(url: string) {
    this.#url = url;
  }

  /** Milliseconds since the start. */
  get now(): number {
    return performance.now() - this.#started;
  }

  /** Sends `rate` clients a second for so many seconds. */
  async come(rate: number, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    let due = performance.now();
    while (performance.now() < end) {
      while (due <= performance.now()) {
        const client = this.#client().finally(() => this.#pending.delete(client));
        this.#pending.add(client);
        // Exponential gaps: arrivals that are independent of each other.
        due += (-Math.log(1 - Math.random()) * 1000) / rate;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Waits for the last clients. */
  async leave(): Promise<void> {
    await Promise.all(this.#pending);
    this.#agent.destroy();
  }

  async #client(): Promise<void> {
    const at = this.now;
    for (let attempts = 1; ; attempts++) {
      const took = await this.#attempt();
      if (took !== undefined || attempts === ATTEMPTS)
        return void this.answers.push({ at, until: this.now, took, attempts });
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
    }
  }

  #attempt(): Promise<number | undefined> {
    return new Promise((resolve) => {
      const from = performance.now();
      const headers = { [LEAVES_AT]: String(Date.now() + PATIENCE) };
      const request = get(this.#url, { agent: this.#agent, headers }, (response) => {
        response.resume().once("end", () => settle(response.statusCode === 200 ? performance.now() - from : undefined));
        response.once("close", () => settle(undefined));
      });
      const leave = setTimeout(() => request.destroy(), PATIENCE);
      const settle = (took: number | undefined): void => {
        clearTimeout(leave);
        resolve(took);
      };
      request.once("error", () => settle(undefined)).once("close", () => settle(undefined));
    });
  }
}
