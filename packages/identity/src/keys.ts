import { types } from "node:util";

import { background, describe, type Duration, milliseconds, run } from "@throughline/context";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type CryptoKey,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type KeyObject,
} from "jose";

import { secureUrl } from "./secure-url.ts";

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
  if (keys instanceof URL) return remoteKeys(secureUrl(keys, "keys", action), options, action);
  if (isSet(keys)) return createLocalJWKSet(keys);
  if (keys instanceof Uint8Array || types.isCryptoKey(keys) || types.isKeyObject(keys)) return keys;
  throw new TypeError(
    `Cannot ${action}: 'keys' must be the URL of a JWK set, a JWK set or a key: current value is ${describe(keys)}`,
  );
}

/** Keys that are asked for. One that cannot be had is not asked for at every token: for a while what was had before is all there is. */
function remoteKeys(url: URL, options: KeyOptions, action: string): JWTVerifyGetKey {
  const { fetch, keysMaxAge = "10m", keysCooldown = "30s" } = options;
  const cooldown = milliseconds(keysCooldown, action, "keysCooldown");
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: TIMEOUT,
    cacheMaxAge: milliseconds(keysMaxAge, action, "keysMaxAge"),
    cooldownDuration: cooldown,
    // In nobody's context: the first that asks does so for all.
    [customFetch]: (address, init) => run(background, () => (fetch ?? globalThis.fetch)(address, init as RequestInit)),
  });
  let failed: { readonly at: number; readonly error: unknown } | undefined;
  return async function find(header, token) {
    const known = remote.jwks();
    if (failed !== undefined && performance.now() - failed.at < cooldown) {
      if (known === undefined) throw failed.error;
      return createLocalJWKSet(known)(header, token);
    }
    try {
      const key = await remote(header, token);
      failed = undefined;
      return key;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      failed = { at: performance.now(), error };
      if (known === undefined) throw error;
      return createLocalJWKSet(known)(header, token);
    }
  };
}

function isSet(keys: unknown): keys is JSONWebKeySet {
  return Array.isArray((keys as { keys?: unknown } | null)?.keys);
}
