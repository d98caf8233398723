import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";

import { background } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import fc, { type Arbitrary } from "fast-check";
import { type JWTHeaderParameters, SignJWT, UnsecuredJWT } from "jose";

import { NodeHeaders } from "../../packages/http/src/wire/headers.ts";
import { jwtVerifier } from "../../packages/identity/src/jwt-verifier.ts";
import { txnToken } from "../../packages/identity/src/txn-token.ts";
import { DIGITS, isMadeOf, LOWER, UPPER } from "./alphabet.ts";
import { GOOD_CLAIMS, NOW } from "./good-claims.ts";
import { type AnySubject, subject } from "./subject.ts";
import { almost, anyText, pumped } from "./values.ts";

// New keys each time: no seed gives the same tokens again.
const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
/** Published, and so known to whoever would sign with it. */
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

/** Whether this is a token that was signed. The last digit of its signature has bits that stand for nothing (RFC 4648, 3.5). */
function isSigned(token: string): boolean {
  const [header, payload, signature, ...more] = token.split(".");
  if (signature === undefined || more.length > 0 || !isMadeOf(signature, BASE64URL)) return false;
  const again = Buffer.from(signature, "base64url").toString("base64url");
  return again.length === signature.length && good.includes([header, payload, again].join("."));
}

/** The parts of several tokens, put together. */
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
    // It takes as long as hundreds of others.
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
      assert.equal(isAccepted, isSigned(token), `It was ${isAccepted ? "" : "not "}accepted`);
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

export const tokens: readonly AnySubject[] = [
  verified("JWT", (token) => verify(token, background)),
  verified("txn-token", async (token) => guard({ ctx: background, headers: new NodeHeaders({ "txn-token": token }) })),
];
