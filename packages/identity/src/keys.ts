import { background, describe, type Duration, milliseconds, run } from "@throughline/context";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type CryptoKey,
  customFetch,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type KeyObject,
} from "jose";

/** Where the keys are that tokens are signed with: the address of a JWK set, such a set, or one key. */
export type Keys = URL | JSONWebKeySet | CryptoKey | KeyObject | Uint8Array;

export interface KeyOptions {
  /** Sends the request for a JWK set. @default the global `fetch` */
  fetch?: typeof globalThis.fetch | undefined;
  /** How long a JWK set is kept. @default "10m" */
  keysMaxAge?: Duration | undefined;
  /** How soon it may be asked for again when a token names a key that is not in it, as after a rotation. @default "30s" */
  keysCooldown?: Duration | undefined;
}

/** How long the request for a JWK set may take: it serves all that wait for it, so no one's deadline ends it. */
const TIMEOUT = 5000;

/** What finds the key for a token. */
export function keyFinder(
  keys: Keys,
  options: KeyOptions,
  action: string,
): JWTVerifyGetKey | CryptoKey | KeyObject | Uint8Array {
  const { fetch, keysMaxAge = "10m", keysCooldown = "30s" } = options;
  if (keys instanceof URL) {
    return createRemoteJWKSet(keys, {
      timeoutDuration: TIMEOUT,
      cacheMaxAge: milliseconds(keysMaxAge, action, "keysMaxAge"),
      cooldownDuration: milliseconds(keysCooldown, action, "keysCooldown"),
      // In nobody's context: the first that asks does so for all.
      [customFetch]: (url, init) => run(background, () => (fetch ?? globalThis.fetch)(url, init as RequestInit)),
    });
  }
  if (typeof keys !== "object" || keys === null) {
    throw new TypeError(
      `Cannot ${action}: 'keys' must be the URL of a JWK set, a JWK set or a key: current value is ${describe(keys)}`,
    );
  }
  return isSet(keys) ? createLocalJWKSet(keys) : keys;
}

function isSet(keys: object): keys is JSONWebKeySet {
  return Array.isArray((keys as { keys?: unknown }).keys);
}
