import assert from "node:assert/strict";

import { background } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import fc, { type Arbitrary } from "fast-check";
import { SignJWT } from "jose";

import { NodeHeaders } from "../../packages/http/src/wire/headers.ts";
import { bearer } from "../../packages/identity/src/bearer.ts";
import { jwtVerifier } from "../../packages/identity/src/jwt-verifier.ts";
import { principal, type Principal } from "../../packages/identity/src/principal.ts";
import { txnToken } from "../../packages/identity/src/txn-token.ts";
import { GOOD_CLAIMS, NOW } from "./good-claims.ts";
import { type AnySubject, subject } from "./subject.ts";

type Claims = Record<string, unknown>;

const KEY = new Uint8Array(32).fill(7);
const NAMES = [
  ...Object.keys(GOOD_CLAIMS),
  "nbf",
  "scp",
  "act",
  "tenant",
  "auth_time",
  "tctx",
  "rctx",
  "toString",
  "__proto__",
];

/** Anything in the place of a claim, also what will not be made text, and times that no date has. */
const anything = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>({ toString: 1, valueOf: 1 }, 1e300, -1e300, 1e15, -1, 1.5, "", [], [{}], {
    sub: { toString: null },
  }),
);

function claimsOf(value: Arbitrary<unknown>, maxKeys: number): Arbitrary<Claims> {
  return fc.dictionary(fc.constantFrom(...NAMES), value, { minKeys: 1, maxKeys });
}

const text = fc.string({ unit: "grapheme", minLength: 1 });
const valid = fc.record<Claims>(
  {
    sub: text,
    exp: fc.oneof(fc.integer({ min: NOW + 1800, max: NOW + 3600 }), fc.integer({ min: NOW + 3600, max: NOW + 1e9 })),
    scope: fc.array(text).map((all) => all.join(" ")),
    tenant: text,
    act: fc.record({ sub: text, act: fc.record({ sub: text }) }),
    auth_time: fc.integer({ min: 0, max: NOW }),
    tctx: fc.dictionary(fc.string(), fc.jsonValue()),
  },
  { requiredKeys: [] },
);

function isSane({ subject, scopes, tenant, issuer, expiresAt, authTime }: Principal): boolean {
  const isText = (each: unknown): boolean => each === undefined || typeof each === "string";
  const isDate = (each: Date | undefined): boolean => each === undefined || !Number.isNaN(each.getTime());
  return (
    typeof subject === "string" &&
    scopes.every(isText) &&
    [tenant, issuer].every(isText) &&
    [expiresAt, authTime].every(isDate)
  );
}

/** Tokens that are signed as they should be, with claims as they should not: an issuer is trusted, but may be wrong. */
function claimed(
  name: string,
  guard: (token: string) => Promise<Principal | undefined>,
  isRight: (claims: Claims) => boolean,
): AnySubject {
  return subject<Claims, Promise<Principal | undefined>>({
    name,
    share: 0.1,
    random: claimsOf(anything, 20),
    mutated: claimsOf(anything, 2),
    valid,
    async parse(claims) {
      const token = await new SignJWT({ ...GOOD_CLAIMS, ...claims })
        .setProtectedHeader({ alg: "HS256", typ: "txntoken+jwt" })
        .sign(KEY);
      try {
        return await guard(token);
      } catch (error) {
        if (!(error instanceof Unauthenticated)) throw error;
        return undefined;
      }
    },
    judge(claims, who) {
      if (who === undefined) return false;
      assert.ok(isSane(who), `That is nobody: ${JSON.stringify(who)}`);
      assert.equal(who.subject, { ...GOOD_CLAIMS, ...claims }["sub"]);
      assert.ok(isRight({ ...GOOD_CLAIMS, ...claims }), "It should have been refused");
      return true;
    },
  });
}

/** Whether the claims are those of a Txn-Token: for one domain, with all that the draft requires, for an hour, and not from the future. */
function isTransaction({ aud, scope, txn, req_wl: workload, iat, exp }: Claims): boolean {
  const [from, to] = [Number(iat), Number(exp)];
  return (
    [txn, workload].every((text) => typeof text === "string" && text !== "") &&
    [aud].flat().length === 1 &&
    typeof scope === "string" &&
    to - from <= 3600 &&
    from <= Date.now() / 1000 + 5
  );
}

const isBearer = bearer(jwtVerifier({ issuer: "issuer", audience: "shop", algorithms: ["HS256"], keys: KEY }));
const isTxn = txnToken({ trustDomain: "shop", algorithms: ["HS256"], keys: KEY });

async function whoIn(guard: typeof isBearer, headers: Record<string, string>): Promise<Principal | undefined> {
  const ctx = await guard({ ctx: background, headers: new NodeHeaders(headers) });
  return principal(ctx!);
}

export const claims: readonly AnySubject[] = [
  claimed(
    "claims of a JWT",
    (token) => whoIn(isBearer, { authorization: `Bearer ${token}` }),
    () => true,
  ),
  claimed("claims of a txn-token", (token) => whoIn(isTxn, { "txn-token": token }), isTransaction),
];
