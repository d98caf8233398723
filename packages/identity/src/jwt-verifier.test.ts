import { inspect } from "node:util";

import { background, withCancel } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import { exportSPKI, generateKeyPair, importSPKI, SignJWT, UnsecuredJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";

import { jwtVerifier, type JwtVerifierOptions } from "./jwt-verifier.ts";
import { rawToken } from "./principal.ts";

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;
let pair: KeyPair;
let other: KeyPair;
beforeAll(async () => {
  [pair, other] = [
    await generateKeyPair("ES256", { extractable: true }),
    await generateKeyPair("ES256", { extractable: true }),
  ];
});

const rules = (changes: Partial<JwtVerifierOptions> = {}): JwtVerifierOptions => ({
  issuer: "https://issuer.example",
  audience: "shop",
  algorithms: ["ES256"],
  keys: pair.publicKey,
  ...changes,
});

interface TokenChanges {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: KeyPair["privateKey"] | Uint8Array;
}

/** A valid token, except for the changes. */
function token({ claims = {}, header = {}, key = pair.privateKey }: TokenChanges = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: "https://issuer.example", aud: "shop", sub: "ada", iat: now, exp: now + 60, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: "ES256", ...header }).sign(key);
}

describe("jwtVerifier", () => {
  it("returns the principal of a token", async () => {
    const claims = {
      scope: "search inventory:read",
      tenant: "acme",
      auth_time: 1_700_000_000,
      act: { sub: "robot", act: { sub: "operator" } },
    };
    const jwt = await token({ claims });
    const principal = await jwtVerifier(rules())(jwt);

    expect(principal).toMatchObject({
      subject: "ada",
      scopes: ["search", "inventory:read"],
      tenant: "acme",
      issuer: "https://issuer.example",
      authTime: new Date(1_700_000_000_000),
      actor: { subject: "robot", actor: { subject: "operator" } },
    });
    expect(rawToken(principal)).toBe(jwt);
    expect(inspect(principal, { showHidden: true, depth: 9 }) + JSON.stringify(principal)).not.toContain(jwt);
  });

  it("accepts scopes as a list", async () => {
    expect((await jwtVerifier(rules())(await token({ claims: { scp: ["a", 7, "b"] } }))).scopes).toEqual(["a", "b"]);
  });

  const SECRET = new TextEncoder().encode("a secret of thirty-two bytes or more");
  it.each<[string, () => Promise<string>, Partial<JwtVerifierOptions>?]>([
    ["has expired", () => token({ claims: { exp: 1 } })],
    ["does not expire", () => token({ claims: { exp: undefined } })],
    ["is not valid yet", () => token({ claims: { nbf: 9e9 } })],
    ["is for another audience", () => token({ claims: { aud: "bank" } })],
    ["is for no audience", () => token({ claims: { aud: undefined } })],
    ["is from another issuer", () => token({ claims: { iss: "https://evil.example" } })],
    ["has no subject", () => token({ claims: { sub: undefined } })],
    ["is signed by another key", () => token({ key: other.privateKey })],
    ["is not signed", () => Promise.resolve(new UnsecuredJWT({ sub: "ada" }).encode())],
    ["is signed with a secret", () => token({ header: { alg: "HS256" }, key: SECRET })],
    ["is too old", () => token({ claims: { iat: 1 } }), { maxTokenAge: "1h" }],
    ["has no time of issue", () => token({ claims: { iat: undefined } }), { maxTokenAge: "1h" }],
    ["is of another type", () => token({ header: { typ: "JWT" } }), { typ: "at+jwt" }],
    ["lacks a claim that is required", () => token(), { requiredClaims: ["jti"] }],
    ["has an unknown critical header", () => token({ header: { crit: ["x"], x: 1 } }).catch(() => "a.b.c")],
    [
      "was changed",
      async () => (await token()).replace(/\.(.)/, (_all, first: string) => `.${first === "e" ? "f" : "e"}`),
    ],
    ["is not a JWT", () => Promise.resolve("not a token")],
    ["is empty", () => Promise.resolve("")],
    ["is too long", () => token({ claims: { long: "x".repeat(9000) } })],
  ])("rejects a token that %s", async (_what, make, changes) => {
    const jwt = await make();
    const error: unknown = await jwtVerifier(rules(changes))(jwt).catch((e: unknown) => e);

    expect(error).toBeInstanceOf(Unauthenticated);
    expect((error as Unauthenticated).challenge).toBe('Bearer error="invalid_token"');
    if (jwt !== "") expect(inspect(error, { depth: 9 })).not.toContain(jwt);
  });

  it("does not use a public key as an HMAC secret (algorithm confusion)", async () => {
    const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
    const forged = await token({
      header: { alg: "HS256" },
      key: new TextEncoder().encode(await exportSPKI(publicKey)),
    });
    const verify = jwtVerifier(
      rules({ algorithms: ["RS256"], keys: await importSPKI(await exportSPKI(publicKey), "RS256") }),
    );
    await expect(verify(forged)).rejects.toBeInstanceOf(Unauthenticated);
    await expect(verify(await token({ header: { alg: "RS256" }, key: privateKey }))).resolves.toMatchObject({
      subject: "ada",
    });
  });

  it("accepts a small clock difference", async () => {
    const late = await token({ claims: { exp: Math.floor(Date.now() / 1000) - 3 } });
    await expect(jwtVerifier(rules())(late)).resolves.toBeDefined();
    await expect(jwtVerifier(rules({ clockTolerance: 0 }))(late)).rejects.toBeInstanceOf(Unauthenticated);
  });

  it("rejects with the context's error if the context has ended", async () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    await expect(jwtVerifier(rules())(await token(), ctx)).rejects.toBe(ctx.err());
  });
});

it.each<[object, RegExp]>([
  [{ issuer: undefined }, /'issuer' must be a string/],
  [{ issuer: "" }, /'issuer' must be a string/],
  [{ audience: [] }, /'audience' must be a string/],
  [{ algorithms: [] }, /'algorithms' must be a list such as \["ES256"\]/],
  [{ algorithms: ["none"] }, /'algorithms' must be a list/],
  [{ algorithms: ["HS256"], keys: new URL("https://issuer.example/keys") }, /'algorithms' must be asymmetric/],
  [{ keys: "https://issuer.example/keys" }, /'keys' must be the URL of a JWK set/],
  [{ maxTokenAge: "old" }, /'maxTokenAge' must be zero or more/],
  [{ audiences: "shop" }, /there is no option 'audiences'/],
])("rejects the option %o when the verifier is created", (changes, message) => {
  expect(() => jwtVerifier(rules(changes as object))).toThrow(message);
});
