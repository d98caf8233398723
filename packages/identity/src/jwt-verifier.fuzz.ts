import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";

import { background } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import { NodeHeaders } from "@throughline/http/adapter";
import { DIGITS, isMadeOf, LOWER, UPPER } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, subject } from "@throughline/test/fuzz/subject.ts";
import { almost, anyText, pumped } from "@throughline/test/fuzz/values.ts";
import fc, { type Arbitrary } from "fast-check";
import { type JWTHeaderParameters, SignJWT, UnsecuredJWT } from "jose";

import { jwtVerifier } from "./jwt-verifier.ts";
import { txnToken } from "./txn-token.ts";

export const NOW = Math.floor(Date.now() / 1000);

/** Claims of a token that both `jwtVerifier` and `txnToken` accept. */
export const GOOD_CLAIMS = {
  iss: "issuer",
  aud: "shop",
  sub: "ada",
  iat: NOW,
  exp: NOW + 3600,
  txn: "1",
  scope: "read",
  req_wl: "gateway",
};

// New keys in every run, so a seed does not reproduce the tokens.
const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
/** The public key, which an attacker knows and could use as an HMAC secret. */
const published = Buffer.from(own.publicKey.export({ type: "spki", format: "pem" }));
const HEADER = { alg: "ES256", typ: "txntoken+jwt" };

function sign(claims: object, header: JWTHeaderParameters, key: Parameters<SignJWT["sign"]>[0]): Promise<string> {
  return new SignJWT({ ...GOOD_CLAIMS, ...claims }).setProtectedHeader(header).sign(key);
}

function signed(claims: object): Promise<string> {
  return sign(claims, HEADER, own.privateKey);
}

const good = await Promise.all(Array.from({ length: 10 }, (_, index) => signed({ sub: `ada ${index}` })));

const bad = await Promise.all([
  signed({ exp: NOW - 3600 }),
  signed({ nbf: NOW + 3600 }),
  signed({ aud: "warehouse" }),
  signed({ exp: undefined }),
  signed({ sub: undefined }),
  sign({}, HEADER, foreign.privateKey),
  sign({}, { ...HEADER, jwk: foreign.publicKey.export({ format: "jwk" }) }, foreign.privateKey),
  sign({}, { ...HEADER, alg: "HS256" }, published),
  sign({}, { ...HEADER, crit: ["exp"], exp: NOW }, own.privateKey).catch(() => ""),
  new UnsecuredJWT(GOOD_CLAIMS).encode(),
]);

const BASE64URL = `${LOWER}${UPPER}${DIGITS}-_`;

/** Whether this is one of the signed tokens. The last digit of a signature has unused bits (RFC 4648, 3.5). */
function isSigned(token: string): boolean {
  const [header, payload, signature, ...more] = token.split(".");
  if (signature === undefined || more.length > 0 || !isMadeOf(signature, BASE64URL)) return false;
  const again = Buffer.from(signature, "base64url").toString("base64url");
  return again.length === signature.length && good.includes([header, payload, again].join("."));
}

/** Parts of several tokens in one token. */
const spliced = fc
  .array(fc.constantFrom(...good, ...bad), { minLength: 3, maxLength: 3 })
  .map((tokens) => tokens.map((token, index) => token.split(".")[index]).join("."));
const part = fc
  .oneof(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    anyText,
  )
  .map((text) => Buffer.from(text).toString("base64url"));
const made = fc.array(part, { minLength: 3, maxLength: 3 }).map((parts) => parts.join("."));
const any = fc.constantFrom(...good, ...bad);

function verified(name: string, accept: (token: string) => Promise<unknown>): AnySubject {
  return subject<string, Promise<boolean>>({
    name,
    // Verifying one signature takes as long as hundreds of other values.
    share: 0.1,
    random: fc.oneof(anyText, made),
    mutated: fc.oneof({ arbitrary: almost(any), weight: 3 }, spliced),
    valid: any as Arbitrary<string>,
    long: { texts: pumped(any), from: (text) => text },
    async parse(token) {
      try {
        await accept(token);
        return true;
      } catch (error) {
        if (!(error instanceof Unauthenticated)) throw error;
        return false;
      }
    },
    judge(token, isAccepted) {
      assert.equal(isAccepted, isSigned(token), `The token was ${isAccepted ? "" : "not "}accepted`);
      return isAccepted;
    },
  });
}

const verify = jwtVerifier({
  issuer: "issuer",
  audience: "shop",
  algorithms: ["ES256"],
  keys: { keys: [own.publicKey.export({ format: "jwk" })] },
});
const guard = txnToken({ trustDomain: "shop", algorithms: ["ES256"], keys: own.publicKey });

export const subjects: readonly AnySubject[] = [
  verified("JWT", (token) => verify(token, background)),
  verified("txn-token", async (token) => guard({ ctx: background, headers: new NodeHeaders({ "txn-token": token }) })),
];
