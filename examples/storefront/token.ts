import { jwtVerifier } from "@throughline/identity";
import { SignJWT } from "jose";

// A secret that everybody can read, for tokens that open nothing but this example on this machine.
const SECRET = new TextEncoder().encode("storefront example: not a secret at all");
const ISSUER = "storefront";

/** A token for a visitor, good for a day. */
export function issue(subject: string): Promise<string> {
  return new SignJWT({ scope: "search inventory:read" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(subject)
    .setIssuer(ISSUER)
    .setAudience(ISSUER)
    .setIssuedAt()
    .setExpirationTime("1d")
    .sign(SECRET);
}

/** Says who such a token is for. */
export const verify = jwtVerifier({ issuer: ISSUER, audience: ISSUER, algorithms: ["HS256"], keys: SECRET });
