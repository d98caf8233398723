import { types } from "node:util";

import { background, type Duration, run, withTimeout } from "@throughline/context";
import { describeValue, milliseconds } from "@throughline/context/internal";
import { untilEnd } from "@throughline/resilience/internal";
import {
  createLocalJWKSet,
  type CryptoKey,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWK,
  type JWTHeaderParameters,
  type JWTVerifyGetKey,
  type KeyObject,
  type LocalJWKSet,
} from "jose";

import { secureUrl } from "./secure-url.ts";

/** The keys that verify signatures: the URL of a JWK set, a JWK set, or one key. */
export type Keys = URL | JSONWebKeySet | CryptoKey | KeyObject | Uint8Array;

export interface KeyOptions {
  /** Sends the request for a JWK set. @default the global `fetch` */
  fetch?: typeof globalThis.fetch | undefined;
  /**
   * How long a fetched JWK set is fresh. After that it is fetched again in the background while its keys stay in use.
   *
   * @default "10m"
   */
  keysMaxAge?: Duration | undefined;
  /**
   * How long keys stay in use beyond `keysMaxAge` while the JWK set cannot be fetched. After that every token waits for
   * a new set. A longer time bridges a longer outage of the key server, but also accepts a key that was removed from
   * the set for longer.
   *
   * @default "1h"
   */
  keysMaxStale?: Duration | undefined;
  /**
   * The minimum time between a request for the JWK set and the next one that is caused by a token with an unknown key,
   * as after a rotation. A failed request is repeated sooner: with the next token after a pause that grows from 100
   * milliseconds to 5 seconds.
   *
   * @default "30s"
   */
  keysCooldown?: Duration | undefined;
}

/** The JWK set cannot be fetched, so the token cannot be verified. */
export class KeysUnavailable extends Error {}

/**
 * Returns the key, or a function that finds the key of a token. It rejects with {@link KeysUnavailable}; any other
 * error concerns the token or its key.
 */
export function keyFinder(
  keys: Keys,
  options: KeyOptions,
  action: string,
): JWTVerifyGetKey | CryptoKey | KeyObject | Uint8Array {
  if (keys instanceof URL) {
    const remote = new RemoteKeys(secureUrl(keys, "keys", action), options, action);
    return (header, token) => remote.find(header, token);
  }
  if (keys instanceof Uint8Array || types.isCryptoKey(keys) || types.isKeyObject(keys)) return keys;
  const set = KeySet.of(keys);
  if (set !== undefined) return (header, token) => set.find(header, token);
  throw new TypeError(
    `Cannot ${action}: 'keys' must be the URL of a JWK set, a JWK set or a key; received ${describeValue(keys)}`,
  );
}

/** A JWK set with an index: the cost of a token does not depend on the number of keys. */
class KeySet {
  readonly #keys: JWK[];
  readonly #byKid = new Map<string, JWK[]>();
  /** By the `kid` of tokens seen so far. Each finder imports its key once. */
  readonly #finders = new Map<string, LocalJWKSet>();
  /** By algorithm: the keys of tokens without a `kid`. */
  readonly #unnamed = new Map<string, Promise<CryptoKey>>();

  private constructor(keys: readonly JWK[]) {
    this.#keys = keys.map((key) => ({ ...key }));
    for (const key of this.#keys) {
      const same = typeof key.kid === "string" ? this.#byKid.get(key.kid) : undefined;
      if (same !== undefined) same.push(key);
      else if (typeof key.kid === "string") this.#byKid.set(key.kid, [key]);
    }
  }

  /** @returns `undefined` if the value is not a JWK set (RFC 7517, 5) */
  static of(value: unknown): KeySet | undefined {
    const keys: unknown = (value as { keys?: unknown } | null | undefined)?.keys;
    const isSet = Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null);
    return isSet ? new KeySet(keys as JWK[]) : undefined;
  }

  async find(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const { kid, alg } = header;
    if (kid === undefined) {
      const known = this.#unnamed.get(alg);
      if (known !== undefined) return known;
      const found = createLocalJWKSet({ keys: this.#keys })(header, token);
      this.#unnamed.set(alg, found);
      return found;
    }
    const known = this.#finders.get(kid);
    if (known !== undefined) return known(header, token);
    const keys = this.#byKid.get(kid);
    if (keys === undefined) throw new errors.JWKSNoMatchingKey();
    const finder = createLocalJWKSet({ keys });
    this.#finders.set(kid, finder);
    return finder(header, token);
  }
}

/** Limit of a request for a JWK set. Many tokens share the request, so no token's deadline ends it. */
const TIMEOUT_MS = 5000;

/** The pause before a failed request is repeated. It doubles with each failure. */
const PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

/**
 * The JWK set at a URL. A token with a known key never waits: a set that is due is fetched in the background
 * (stale-while-revalidate). A token with an unknown key waits for the pending request. There is at most one request at
 * a time.
 */
class RemoteKeys {
  readonly #url: URL;
  readonly #fetch: typeof globalThis.fetch | undefined;
  readonly #maxAge: number;
  readonly #maxStale: number;
  readonly #cooldown: number;
  #known: { readonly set: KeySet; readonly at: number } | undefined;
  /** The pending request. It never rejects: its error is in `#error`. */
  #request: Promise<KeySet | undefined> | undefined;
  #error: unknown;
  #failures = 0;
  /** When the next token causes a request, on the monotonic clock. */
  #dueAt = -Infinity;
  /** When the next token with an unknown key causes a request, on the monotonic clock. */
  #lookupAt = -Infinity;

  constructor(url: URL, options: KeyOptions, action: string) {
    const { fetch, keysMaxAge = "10m", keysMaxStale = "1h", keysCooldown = "30s" } = options;
    this.#url = url;
    this.#fetch = fetch;
    this.#maxAge = milliseconds(keysMaxAge, action, "keysMaxAge");
    this.#maxStale = milliseconds(keysMaxStale, action, "keysMaxStale");
    this.#cooldown = milliseconds(keysCooldown, action, "keysCooldown");
  }

  async find(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (performance.now() >= this.#dueAt) this.#refresh();
    const known = this.#usable();
    if (known !== undefined) {
      try {
        return await known.find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
      // The key may be new.
      if (performance.now() >= this.#lookupAt) this.#refresh();
    }
    const set = (await this.#request) ?? this.#usable();
    if (set === undefined) {
      throw new KeysUnavailable("Cannot verify a token: the JWK set is not available", { cause: this.#error });
    }
    return set.find(header, token);
  }

  #usable(): KeySet | undefined {
    if (this.#known === undefined) return undefined;
    const { set, at } = this.#known;
    return performance.now() - at < this.#maxAge + this.#maxStale ? set : undefined;
  }

  #refresh(): void {
    this.#request ??= this.#fetchSet()
      .then(
        (set) => this.#succeeded(set),
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#lookupAt = performance.now() + this.#cooldown;
        this.#request = undefined;
      });
  }

  #succeeded(set: KeySet): KeySet {
    this.#known = { set, at: performance.now() };
    this.#failures = 0;
    this.#dueAt = performance.now() + this.#maxAge;
    return set;
  }

  #failed(error: unknown): undefined {
    this.#error = error;
    // Jitter: processes that failed together must not repeat the request together.
    const jitter = 0.5 + Math.random() / 2;
    this.#dueAt = performance.now() + jitter * Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** this.#failures);
    this.#failures += 1;
  }

  async #fetchSet(): Promise<KeySet> {
    const [ctx, cancel] = withTimeout(background, TIMEOUT_MS);
    try {
      // Not in the context of the token that causes the request: others wait for it too.
      return await untilEnd(
        ctx,
        run(background, () => this.#receive(ctx.signal)),
      );
    } catch (error) {
      // DeadlineExceeded as a cause would be answered 504, as if it were the token's own deadline.
      throw ctx.err() === undefined ? error : new Error(`there was no response within ${TIMEOUT_MS} ms`);
    } finally {
      cancel();
    }
  }

  async #receive(signal: AbortSignal): Promise<KeySet> {
    const send = this.#fetch ?? globalThis.fetch;
    const headers = { accept: "application/json, application/jwk-set+json" };
    const response = await send(this.#url.href, { headers, redirect: "manual", signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the response had the status ${response.status}`);
    }
    const set = KeySet.of(await response.json());
    if (set === undefined) throw new Error("the response was not a JWK set");
    return set;
  }
}
