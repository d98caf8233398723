import assert from "node:assert/strict";

import { background } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import { NodeHeaders } from "@throughline/http/adapter";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import fc, { type Arbitrary } from "fast-check";
import { SignJWT } from "jose";

import { bearer } from "./bearer.ts";
import { GOOD_CLAIMS, NOW } from "./jwt-verifier.fuzz.ts";
import { jwtVerifier } from "./jwt-verifier.ts";
import { principal, type Principal } from "./principal.ts";
import { txnToken } from "./txn-token.ts";

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

/** Any value in place of a claim, including objects that cannot become text and times out of the range of `Date`. */
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

/** Tokens with a valid signature and arbitrary claims: a trusted issuer can still write wrong claims. */
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
      assert.ok(isSane(who), `The principal is malformed: ${JSON.stringify(who)}`);
      assert.equal(who.subject, { ...GOOD_CLAIMS, ...claims }["sub"]);
      assert.ok(isRight({ ...GOOD_CLAIMS, ...claims }), "The token must be refused");
      return true;
    },
  });
}

/**
 * Whether these are valid Txn-Token claims: one domain, all required claims, at most one hour, not issued in the
 * future.
 */
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

const bearerGuard = bearer(jwtVerifier({ issuer: "issuer", audience: "shop", algorithms: ["HS256"], keys: KEY }));
const txnGuard = txnToken({ trustDomain: "shop", algorithms: ["HS256"], keys: KEY });

async function principalBy(guard: typeof bearerGuard, headers: Record<string, string>): Promise<Principal | undefined> {
  const ctx = await guard({ ctx: background, headers: new NodeHeaders(headers) });
  return principal(ctx!);
}

export const subjects: readonly AnySubject[] = [
  claimed(
    "claims of a JWT",
    (token) => principalBy(bearerGuard, { authorization: `Bearer ${token}` }),
    () => true,
  ),
  claimed("claims of a txn-token", (token) => principalBy(txnGuard, { "txn-token": token }), isTransaction),
];
