import type { Principal } from "@throughline/identity";
import { jwtVerify, SignJWT } from "jose";

// A secret that everybody can read, for tokens that open nothing but this example on this machine.
const SECRET = new TextEncoder().encode("storefront example: not a secret at all");
const ISSUER = "storefront";

/** A token for a visitor, good for a day. */
export function issue(subject: string): Promise<string> {
  return new SignJWT({ scope: "search" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(subject)
    .setIssuer(ISSUER)
    .setAudience(ISSUER)
    .setIssuedAt()
    .setExpirationTime("1d")
    .sign(SECRET);
}

/** Who an `authorization` header speaks for; `undefined` if it does not hold. */
export async function verify(authorization: string | undefined): Promise<Principal | undefined> {
  const [, token] = /^Bearer (\S+)$/i.exec(authorization ?? "") ?? [];
  if (token === undefined) return undefined;
  try {
    const { payload } = await jwtVerify(token, SECRET, {
      issuer: ISSUER,
      audience: ISSUER,
      algorithms: ["HS256"],
      requiredClaims: ["sub", "exp"],
    });
    return { subject: payload.sub!, scopes: String(payload["scope"] ?? "").split(" ") };
  } catch {
    return undefined;
  }
}
