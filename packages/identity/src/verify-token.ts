import { background, type Context, type Duration, run } from "@throughline/context";
import { callable, describeValue, milliseconds, refuseUnknown } from "@throughline/context/internal";
import { Unauthenticated } from "@throughline/http";
import { untilEnd } from "@throughline/resilience/internal";
import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey, type JWTVerifyOptions } from "jose";

import { keyFinder, type KeyOptions, type Keys, KeysUnavailable } from "./keys.ts";

/** The rules that a token must satisfy. */
export interface TokenRules extends KeyOptions {
  readonly keys: Keys;
  /** The accepted signature algorithms. They are never read from the token. */
  readonly algorithms: readonly string[];
  readonly audience: string | readonly string[];
  readonly issuer?: string | readonly string[] | undefined;
  /** The required `typ` of the header. */
  readonly typ?: string | undefined;
  readonly requiredClaims: readonly string[];
  /** The maximum time since `iat`. */
  readonly maxTokenAge?: Duration | undefined;
  /** The accepted clock difference. @default "5s" */
  readonly clockTolerance?: Duration | undefined;
}

/** A token that satisfies the rules. */
export interface VerifiedToken {
  readonly claims: JWTPayload;
  /** `exp` plus the accepted clock difference. */
  readonly expiresAt: Date | undefined;
}

/** Verifies a token. It rejects with the context's error if the context ends first. */
export type TokenVerifier = (token: string, ctx: Context) => Promise<VerifiedToken>;

/** A token is sent in a header, whose size servers limit. */
const MAX_LENGTH = 8192;

/** @throws TypeError, RangeError if a rule is wrong */
export function tokenVerifier(rules: TokenRules, action: string): TokenVerifier {
  const options = optionsOf(rules, action);
  const key = keyFinder(rules.keys, rules, action);
  return async function verify(token, ctx) {
    if (token.length > MAX_LENGTH) throw invalidToken(`it is longer than ${MAX_LENGTH} characters`);
    // Decoders also accept characters outside of base64url, which would then be sent on (RFC 7515, 2).
    if (!/^[\w-]*\.[\w-]*\.[\w-]*$/.test(token)) throw invalidToken("it is not a signed JWT");
    try {
      // Finding the key may wait for a request that all tokens share, so it runs outside of the caller's context.
      const verifying = run(background, () => jwtVerify(token, key as JWTVerifyGetKey, options));
      return checkClaims((await untilEnd(ctx, verifying)).payload, Number(options.clockTolerance));
    } catch (error) {
      ctx.throwIfAborted();
      if (error instanceof Unauthenticated || error instanceof KeysUnavailable) throw error;
      // The JWK set is available, so the token is not valid, also if it names a key of the set that cannot be used.
      throw invalidToken(error instanceof errors.JOSEError ? error.code : "its key cannot be used", error);
    }
  };
}

/** Checks the types of claims, which jose does not. */
function checkClaims(claims: JWTPayload, tolerance: number): VerifiedToken {
  for (const name of ["iss", "txn", "req_wl"]) {
    if (claims[name] !== undefined && typeof claims[name] !== "string")
      throw invalidToken(`'${name}' must be a string`);
  }
  if (typeof claims.sub !== "string" || claims.sub === "") throw invalidToken("'sub' must be a non-empty string");
  const expiresAt = claims.exp === undefined ? undefined : dateOf(claims.exp + tolerance);
  if (claims.exp !== undefined && expiresAt === undefined) throw invalidToken("'exp' must be a valid time");
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
      `Cannot ${action}: 'algorithms' must be asymmetric for a JWK set at a URL, whose keys are public; received ${describeValue(algorithms.join())}`,
    );
  }
  for (const [name, value] of Object.entries({ audience, issuer })) {
    if (name === "issuer" && value === undefined) continue;
    const all = [value].flat();
    if (all.length === 0 || !all.every((each) => typeof each === "string" && each !== "")) {
      throw new TypeError(
        `Cannot ${action}: '${name}' must be a string or a list of strings; received ${describeValue(value)}`,
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

/** The error for a token that is not valid (401). @param error the error of jose or of the key, if any */
export function invalidToken(reason: string, error?: unknown): Unauthenticated {
  return new Unauthenticated(`the token is not valid: ${reason}`, {
    challenge: 'Bearer error="invalid_token"',
    ...(error instanceof errors.JWTExpired && { cause: new Error("the token has expired") }),
    // An error of jose may contain claims of the token, so it is not added as the cause. Other errors concern the key.
    ...(error !== undefined && !(error instanceof errors.JOSEError) && { cause: error }),
  });
}

/** The scopes of a claim: a list, or a string with spaces between them (RFC 6749, 3.3). */
export function scopesOf(scope: unknown): readonly string[] {
  if (Array.isArray(scope)) return scope.filter((each) => typeof each === "string");
  return typeof scope === "string" ? scope.split(" ").filter((each) => each !== "") : [];
}

/** @param seconds since the epoch (RFC 7519, NumericDate) */
export function dateOf(seconds: unknown): Date | undefined {
  return typeof seconds === "number" && Math.abs(seconds) <= 8.64e12 ? new Date(seconds * 1000) : undefined;
}
