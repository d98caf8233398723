import { background, type Context, describe, type Duration, milliseconds, run } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import { untilEnd } from "@throughline/resilience";
import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey, type JWTVerifyOptions } from "jose";

import { keyFinder, type KeyOptions, type Keys } from "./keys.ts";

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

/** Verifies a token, by the context's deadline. */
export type TokenVerifier = (token: string, ctx: Context) => Promise<JWTPayload>;

/** A token is a header: servers take no more. */
const LONGEST = 8192;

/** @throws TypeError, RangeError if a rule is wrong */
export function tokenVerifier(rules: TokenRules, action: string): TokenVerifier {
  const key = keyFinder(rules.keys, rules, action);
  const options = optionsOf(rules, action);
  return async function verify(token, ctx) {
    if (token.length > LONGEST) throw invalid("too long");
    try {
      // What finds the key may wait for the network: for everybody, so in nobody's context.
      const verifying = run(background, () => jwtVerify(token, key as JWTVerifyGetKey, options));
      return (await untilEnd(ctx, verifying)).payload;
    } catch (error) {
      ctx.throwIfDone();
      throw isOfTheToken(error)
        ? invalid(error.code, error)
        : new Error("Cannot verify a token: no keys are to be had", { cause: error });
    }
  };
}

function optionsOf(rules: TokenRules, action: string): JWTVerifyOptions {
  const { algorithms, audience, issuer, typ, requiredClaims, maxTokenAge, clockTolerance = "5s", keys } = rules;
  if (
    !Array.isArray(algorithms) ||
    algorithms.length === 0 ||
    !algorithms.every((each) => /^[A-Z]\w+$/.test(String(each)))
  ) {
    throw new TypeError(
      `Cannot ${action}: 'algorithms' must be a list such as ["ES256"]: current value is ${describe(algorithms)}`,
    );
  }
  if (keys instanceof URL && algorithms.some((each: string) => each.startsWith("HS"))) {
    throw new TypeError(
      `Cannot ${action}: 'algorithms' must be asymmetric where keys are public: current value is ${describe(algorithms.join())}`,
    );
  }
  for (const [name, value] of Object.entries({ audience, issuer })) {
    if (name === "issuer" && value === undefined) continue;
    const all = [value].flat();
    if (all.length === 0 || !all.every((each) => typeof each === "string" && each !== "")) {
      throw new TypeError(
        `Cannot ${action}: '${name}' must be a string, or a list of some: current value is ${describe(value)}`,
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

/** Errors that say something of the token; others are of the keys. */
const OF_THE_TOKEN = [
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

function isOfTheToken(error: unknown): error is errors.JOSEError {
  return OF_THE_TOKEN.some((type) => error instanceof type);
}

function invalid(code: string, cause?: unknown): Unauthenticated {
  // Its message may quote the token's claims: the code says enough to whoever reads a log, and to a stranger nothing.
  return new Unauthenticated(`the token is not valid: ${code}`, {
    challenge: 'Bearer error="invalid_token"',
    ...(cause instanceof errors.JWTExpired && { cause: new Error("it has expired") }),
  });
}
