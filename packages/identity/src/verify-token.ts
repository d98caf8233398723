import { background, type Context, type Duration, run } from "@throughline/context";
import { callable, describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";
import { Unauthenticated } from "@throughline/http";
import { untilEnd } from "@throughline/resilience/internal";
import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey, type JWTVerifyOptions } from "jose";

import { dateOf } from "./claims.ts";
import { keyFinder, type KeyOptions, type Keys, KeysUnavailable } from "./keys.ts";

/** What a token must be, whatever it says of itself. */
export interface TokenRules extends KeyOptions {
  readonly keys: Keys;
  /** The algorithms that a signature may have. Never taken from the token. */
  readonly algorithms: readonly string[];
  readonly audience: string | readonly string[];
  readonly issuer?: string | readonly string[] | undefined;
  /** The type that its header must name. */
  readonly typ?: string | undefined;
  readonly requiredClaims: readonly string[];
  /** How long ago it may have been issued. */
  readonly maxTokenAge?: Duration | undefined;
  /** By how much clocks may differ. @default "5s" */
  readonly clockTolerance?: Duration | undefined;
}

/** What a token that holds says. */
export interface Verified {
  readonly claims: JWTPayload;
  /** Until when it is taken: `exp`, and by how much clocks may differ. */
  readonly expiresAt: Date | undefined;
}

/** Verifies a token, by the context's deadline. */
export type TokenVerifier = (token: string, ctx: Context) => Promise<Verified>;

/** A token is a header: servers take no more. */
const LONGEST = 8192;

/** @throws TypeError, RangeError if a rule is wrong */
export function tokenVerifier(rules: TokenRules, action: string): TokenVerifier {
  const options = optionsOf(rules, action);
  const key = keyFinder(rules.keys, rules, action);
  return async function verify(token, ctx) {
    if (token.length > LONGEST) throw invalidToken("too long");
    // More than base64url may be written in would decode too, and be sent on (RFC 7515, 2).
    if (!/^[\w-]*\.[\w-]*\.[\w-]*$/.test(token)) throw invalidToken("no signed token");
    try {
      // What finds the key may wait for the network: for everybody, so in nobody's context.
      const verifying = run(background, () => jwtVerify(token, key as JWTVerifyGetKey, options));
      return verifiedBy((await untilEnd(ctx, verifying)).payload, Number(options.clockTolerance));
    } catch (error) {
      ctx.throwIfAborted();
      if (error instanceof Unauthenticated || error instanceof KeysUnavailable) throw error;
      // The keys are there, so it is the token that is not valid, even if it names a key of the set that cannot be used.
      throw invalidToken(error instanceof errors.JOSEError ? error.code : "its key cannot be used", error);
    }
  };
}

/** Claims are signed, but whoever signs may be wrong. */
function verifiedBy(claims: JWTPayload, tolerance: number): Verified {
  for (const name of ["iss", "txn", "req_wl"]) {
    if (claims[name] !== undefined && typeof claims[name] !== "string") throw invalidToken(`'${name}' is no string`);
  }
  if (typeof claims.sub !== "string" || claims.sub === "") throw invalidToken("'sub' is no string");
  const expiresAt = claims.exp === undefined ? undefined : dateOf(claims.exp + tolerance);
  if (claims.exp !== undefined && expiresAt === undefined) throw invalidToken("'exp' is no time");
  return { claims, expiresAt };
}

function optionsOf(rules: TokenRules, action: string): JWTVerifyOptions {
  const {
    algorithms,
    audience,
    issuer,
    typ,
    requiredClaims,
    maxTokenAge,
    clockTolerance = "5s",
    keys,
    ...rest
  } = rules;
  const { fetch, keysMaxAge, keysMaxStale, keysCooldown, ...others } = rest;
  refuseUnknown(others, action);
  if (fetch !== undefined) callable("fetch", fetch, action);
  for (const [name, value] of Object.entries({ keysMaxAge, keysMaxStale, keysCooldown })) {
    if (value !== undefined) milliseconds(value, action, name);
  }
  if (typ !== undefined && typeof typ !== "string") {
    throw new TypeError(`Cannot ${action}: 'typ' must be a string; received ${describeValue(typ)}`);
  }
  if (
    !Array.isArray(algorithms) ||
    algorithms.length === 0 ||
    !algorithms.every((each) => /^[A-Z]\w+$/.test(String(each)))
  ) {
    throw new TypeError(
      `Cannot ${action}: 'algorithms' must be a list such as ["ES256"]; received ${describeValue(algorithms)}`,
    );
  }
  if (keys instanceof URL && algorithms.some((each: string) => each.startsWith("HS"))) {
    throw new TypeError(
      `Cannot ${action}: 'algorithms' must be asymmetric where keys are public; received ${describeValue(algorithms.join())}`,
    );
  }
  for (const [name, value] of Object.entries({ audience, issuer })) {
    if (name === "issuer" && value === undefined) continue;
    const all = [value].flat();
    if (all.length === 0 || !all.every((each) => typeof each === "string" && each !== "")) {
      throw new TypeError(
        `Cannot ${action}: '${name}' must be a string, or a list of some; received ${describeValue(value)}`,
      );
    }
  }
  return {
    algorithms: [...algorithms],
    audience: [audience].flat() as string[],
    requiredClaims: [...requiredClaims],
    clockTolerance: milliseconds(clockTolerance, action, "clockTolerance") / 1000,
    ...(issuer !== undefined && { issuer: [issuer].flat() as string[] }),
    ...(typ !== undefined && { typ }),
    ...(maxTokenAge !== undefined && { maxTokenAge: milliseconds(maxTokenAge, action, "maxTokenAge") / 1000 }),
  };
}

/** The error for a token that is not valid (401). @param error the error that verifying it ended with, if it did */
export function invalidToken(reason: string, error?: unknown): Unauthenticated {
  return new Unauthenticated(`the token is not valid: ${reason}`, {
    challenge: 'Bearer error="invalid_token"',
    ...(error instanceof errors.JWTExpired && { cause: new Error("it has expired") }),
    // Errors of jose may quote the token's claims. Other errors concern the key.
    ...(error !== undefined && !(error instanceof errors.JOSEError) && { cause: error }),
  });
}
