import { setImmediate } from "node:timers";

import { armedEntries, now } from "@throughline/context/internal";

import { scopeOf } from "./clock.ts";
import { liveCalls, liveScopes, originOf } from "./live-scopes.ts";
import { unfinishedPeerCalls } from "./peer-call.ts";

// Kept at load, so that fake timers of a test runner do not affect it.
const soon = setImmediate;

/** An object that code has not released. */
export interface Leak {
  /**
   * A context that a signal or a callback still listens to, a timer such as that of `sleep`, a request that
   * `createFetch` has sent, or a request that a {@link peer} has received.
   */
  readonly kind: "context" | "timer" | "call" | "peer call";
  /** One line for people. It contains how the context was derived, and where. */
  readonly description: string;
}

/** What `assertNoLeaks` has reported, so that one test that leaks does not fail all later ones. */
const reported = new WeakSet<object>();

/** Lists what this library keeps alive at present: contexts, timers and calls. Empty if there is nothing. */
export function leaks(): Leak[] {
  return found().map(({ leak }) => leak);
}

/**
 * Fails if anything of {@link leaks} is left, for `afterEach(assertNoLeaks)`. Each leak is reported once.
 *
 * @throws Error that lists the leaks
 */
export async function assertNoLeaks(): Promise<void> {
  // What ends with the test may need callbacks of promises to end.
  for (let round = 0; round < 2; round++) await new Promise<void>((resolve) => void soon(resolve));
  const all = found().filter(({ object }) => !reported.has(object));
  for (const { object } of all) reported.add(object);
  if (all.length > 0) throw new Error(`Leaks:${all.map(({ leak }) => `\n  ${leak.description}`).join("")}`);
}

function found(): { leak: Leak; object: object }[] {
  const contexts = liveScopes().map(({ scope, listeners }) => {
    const { derivation, site } = originOf(scope);
    const by = site === "" ? "" : `, derived by ${site}`;
    const count = listeners === 1 ? "1 listener" : `${listeners} listeners`;
    return { object: scope, leak: leak("context", `${derivation} has ${count}${by}`) };
  });
  const timers = armedEntries()
    .filter((entry) => scopeOf(entry) === undefined)
    .map((entry) => ({ object: entry, leak: leak("timer", `due in ${Math.round(entry.at - now())} ms`) }));
  const calls = liveCalls().map((call) => ({
    object: call,
    leak: leak("call", `${call.method} ${call.url} under ${String(call.ctx)}`),
  }));
  const peerCalls = unfinishedPeerCalls().map((call) => ({
    object: call,
    leak: leak("peer call", `${call.method} ${call.url} is still being handled`),
  }));
  return [...contexts, ...timers, ...calls, ...peerCalls];
}

function leak(kind: Leak["kind"], description: string): Leak {
  return { kind, description: `${kind}: ${description}` };
}
