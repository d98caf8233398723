import { jwtVerifier } from "@throughline/identity";
import { SignJWT } from "jose";

// A published secret: its tokens are accepted only by this example.
const SECRET = new TextEncoder().encode("storefront example: not a secret at all");
const ISSUER = "storefront";

/** Issues a visitor's token, valid for a day. */
export function issueToken(subject: string): Promise<string> {
  return new SignJWT({ scope: "search inventory:read" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(subject)
    .setIssuer(ISSUER)
    .setAudience(ISSUER)
    .setIssuedAt()
    .setExpirationTime("1d")
    .sign(SECRET);
}

/** Verifies a visitor's token. */
export const verifyToken = jwtVerifier({ issuer: ISSUER, audience: ISSUER, algorithms: ["HS256"], keys: SECRET });
