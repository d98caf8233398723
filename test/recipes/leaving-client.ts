import { current } from "@throughline/context";
import { sleep } from "@throughline/resilience";
import { expect } from "vitest";

/** What happened to the handlers that wait: "waits", and the name of the error that ended it. */
const events: string[] = [];

/** A handler that waits with `current()`. */
export async function waitForever(): Promise<void> {
  events.push("waits");
  try {
    await sleep(current(), "1h");
  } catch (error) {
    events.push((error as Error).name);
    throw error;
  }
}

/** Expects that the client's disconnect ends the context of a handler that calls {@link waitForever}. */
export async function expectEndAtDisconnect(url: string, init: RequestInit = {}): Promise<void> {
  events.length = 0;
  const client = new AbortController();
  const call = fetch(url, { ...init, signal: client.signal });
  await expect.poll(() => events).toEqual(["waits"]);
  client.abort();
  await expect(call).rejects.toThrow();
  await expect.poll(() => events).toEqual(["waits", "AbortError"]);
}
