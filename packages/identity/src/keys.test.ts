import { generateKeyPairSync, sign } from "node:crypto";
import type { ServerResponse } from "node:http";

import { background, run, withTimeout } from "@throughline/context";
import { Unauthenticated } from "@throughline/http";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { jwtVerifier, type JwtVerifierOptions } from "./jwt-verifier.ts";
import type { KeyOptions, Keys } from "./keys.ts";

cleanUpAfterEach();
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;

interface Signer {
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];
  readonly jwk: JWK;
}
let a: Signer;
let b: Signer;
beforeAll(async () => void ([a, b] = await Promise.all([signer("a"), signer("b")])));

async function signer(kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256" } };
}

/** A token that is signed with the key and names it, unless another `kid` is given. */
function token(by: Signer = a, kid: string | undefined = by.jwk.kid): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: "ES256", ...(kid !== undefined && { kid }) })
    .setIssuer("https://issuer.example")
    .setAudience("shop")
    .setSubject("ada")
    .setExpirationTime("1h")
    .sign(by.privateKey);
}

function verifier(keys: Keys, options: KeyOptions & Pick<Partial<JwtVerifierOptions>, "algorithms"> = {}) {
  return jwtVerifier({ issuer: "https://issuer.example", audience: "shop", algorithms: ["ES256"], keys, ...options });
}

/** A server of JWK sets, and the requests that it has received. */
async function keyServer(answer: (res: ServerResponse) => void) {
  const asked = vi.fn();
  const { url } = await serve((_req, res) => {
    asked();
    answer(res);
  });
  return { url: new URL(url), asked };
}

const answerWith =
  (...keys: JWK[]) =>
  (res: ServerResponse): void =>
    void res.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));

const fail = (res: ServerResponse): void => void res.writeHead(500).end();
/** Never answers; the connection closes with the server. */
const hang = (): void => undefined;

/** Fakes the clock that measures the age of keys. Tokens expire on the wall clock, which is not faked. */
function fakeClock(): void {
  vi.useFakeTimers({ toFake: ["performance"] });
}

describe("keys from a JWK set", () => {
  it("are fetched once for all tokens", async () => {
    const { url, asked } = await keyServer(answerWith(a.jwk));
    const verify = verifier(url);
    const jwt = await token();
    await Promise.all(Array.from({ length: 5 }, () => verify(jwt)));
    await verify(jwt);
    expect(asked).toHaveBeenCalledOnce();
  });

  it("reject a token when its context ends, while other tokens go on waiting", async () => {
    const { url, asked } = await keyServer((res) => void setTimeout(answerWith(a.jwk), 150, res));
    const verify = verifier(url);
    const jwt = await token();
    const [short] = withTimeout(background, 30);
    const first = run(short, () => verify(jwt)).catch((error: unknown) => error);
    const second = verify(jwt);

    expect(await first).toBe(short.err());
    await expect(second).resolves.toMatchObject({ subject: "ada" });
    expect(asked).toHaveBeenCalledOnce();
  });

  it("that were replaced under the same name do not verify tokens of the old key", async () => {
    const { url } = await keyServer(answerWith({ ...b.jwk, kid: "a" }));
    await expect(verifier(url)(await token())).rejects.toBeInstanceOf(Unauthenticated);
  });
});

describe("a JWK set that cannot be fetched", () => {
  it.each<[string, (res: ServerResponse) => void]>([
    ["an error", fail],
    ["a body that is not JSON", (res) => void res.setHeader("content-type", "text/html").end("<html>")],
    ["other JSON", (res) => void res.end('{"keys":{}}')],
    ["keys that are not objects", (res) => void res.end('{"keys":[null]}')],
    ["a redirect", (res) => void res.writeHead(302, { location: "/elsewhere" }).end()],
    ["no response", (res) => void res.destroy()],
  ])(
    "causes an Error other than Unauthenticated, and is fetched again after a short pause: %s",
    async (_what, answer) => {
      fakeClock();
      let answering = answer;
      const { url, asked } = await keyServer((res) => answering(res));
      const verify = verifier(url);
      const jwt = await token();
      const error: unknown = await verify(jwt).catch((e: unknown) => e);
      expect(error).not.toBeInstanceOf(Unauthenticated);
      expect((error as Error).message).toBe("Cannot verify a token: the JWK set is not available");
      answering = answerWith(a.jwk);
      await expect(verify(jwt)).rejects.toThrow("the JWK set is not available");
      expect(asked).toHaveBeenCalledOnce();

      vi.advanceTimersByTime(100);
      await expect(verify(jwt)).resolves.toMatchObject({ subject: "ada" });
      expect(asked).toHaveBeenCalledTimes(2);
    },
  );

  it("is fetched again after pauses that grow to 5 seconds", async () => {
    fakeClock();
    const { url, asked } = await keyServer(fail);
    const verify = verifier(url);
    const jwt = await token();
    const attempt = () => verify(jwt).catch(() => undefined);
    await attempt();
    for (const [index, pause] of [100, 200, 400, 800, 1600, 3200, 5000, 5000].entries()) {
      vi.advanceTimersByTime(pause / 2 - 1);
      await attempt();
      expect(asked).toHaveBeenCalledTimes(index + 1);
      vi.advanceTimersByTime(pause / 2 + 1);
      await attempt();
      expect(asked).toHaveBeenCalledTimes(index + 2);
    }
  });

  it("is fetched once for all tokens of a burst", async () => {
    const { url, asked } = await keyServer(fail);
    const verify = verifier(url);
    const jwt = await token();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => verify(jwt)));
    expect(results.map(({ status }) => status)).not.toContain("fulfilled");
    expect(asked).toHaveBeenCalledOnce();
  });

  it("is abandoned after 5 seconds, and fetched again", async () => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
    const neverSettles = vi.fn<typeof fetch>(() => new Promise(() => undefined));
    const verify = verifier(new URL("https://issuer.example/keys"), { fetch: neverSettles });
    const jwt = await token();
    const first = verify(jwt).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(5000);
    const error = await first;
    expect(error).toMatchObject({ cause: { message: "there was no response within 5000 ms" } });

    await vi.advanceTimersByTimeAsync(100);
    void verify(jwt).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(0);
    expect(neverSettles).toHaveBeenCalledTimes(2);
  });
});

describe("keys that are known", () => {
  it("are used at once when a refresh is due, which runs in the background", async () => {
    fakeClock();
    let answer: (res: ServerResponse) => void = answerWith(a.jwk);
    const { url, asked } = await keyServer((res) => answer(res));
    const verify = verifier(url);
    await verify(await token());
    answer = answerWith(b.jwk);
    vi.advanceTimersByTime(10 * MINUTE);

    await expect(verify(await token())).resolves.toMatchObject({ subject: "ada" });
    // This token has an unknown key and waits for the request.
    await expect(verify(await token(b))).resolves.toMatchObject({ subject: "ada" });
    await expect(verify(await token(a))).rejects.toBeInstanceOf(Unauthenticated);
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it.each<[string, (res: ServerResponse) => void]>([
    ["does not answer", hang],
    ["fails", fail],
  ])(
    "verify tokens at once while the key server %s, both at a refresh and for an unknown key",
    async (_how, broken) => {
      fakeClock();
      let answer: (res: ServerResponse) => void = answerWith(a.jwk);
      const { url, asked } = await keyServer((res) => answer(res));
      const verify = verifier(url);
      const jwt = await token();
      await verify(jwt);
      answer = broken;
      vi.advanceTimersByTime(MINUTE);
      const unknown = verify(await token(b)).catch(() => undefined);
      await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(2));
      await expect(verify(jwt)).resolves.toMatchObject({ subject: "ada" });

      vi.advanceTimersByTime(10 * MINUTE);
      await expect(verify(jwt)).resolves.toMatchObject({ subject: "ada" });
      if (broken === fail) await unknown;
    },
  );

  it.each<[KeyOptions, number]>([
    [{}, 70 * MINUTE],
    [{ keysMaxAge: "1m", keysMaxStale: "5m" }, 6 * MINUTE],
    [{ keysMaxStale: 0 }, 10 * MINUTE],
  ])("stay in use while the JWK set cannot be fetched, with %j for %d ms", async (options, last) => {
    fakeClock();
    let answer: (res: ServerResponse) => void = answerWith(a.jwk);
    const { url } = await keyServer((res) => answer(res));
    const verify = verifier(url, options);
    const jwt = await token();
    await verify(jwt);
    answer = fail;
    vi.advanceTimersByTime(last - 1);
    await expect(verify(jwt)).resolves.toMatchObject({ subject: "ada" });
    vi.advanceTimersByTime(1);
    await expect(verify(jwt)).rejects.toThrow("the JWK set is not available");
    answer = answerWith(a.jwk);
    vi.advanceTimersByTime(MINUTE);
    await expect(verify(jwt)).resolves.toMatchObject({ subject: "ada" });
  });

  it("are fetched for every token with a maximum age of 0", async () => {
    const { url, asked } = await keyServer(answerWith(a.jwk));
    const verify = verifier(url, { keysMaxAge: 0, keysMaxStale: 0 });
    const jwt = await token();
    await verify(jwt);
    await expect(verify(jwt)).resolves.toMatchObject({ subject: "ada" });
    expect(asked).toHaveBeenCalledTimes(2);
  });
});

describe("a token that names an unknown key", () => {
  it("is valid after a rotation", async () => {
    let answer = answerWith(a.jwk);
    const { url } = await keyServer((res) => answer(res));
    const verify = verifier(url, { keysCooldown: 0 });
    await verify(await token(a));
    answer = answerWith(b.jwk);
    await expect(verify(await token(b))).resolves.toMatchObject({ subject: "ada" });
    await expect(verify(await token(a))).rejects.toBeInstanceOf(Unauthenticated);
  });

  it("causes one request in each cooldown, and delays a rotation by one cooldown at most", async () => {
    fakeClock();
    let answer = answerWith(a.jwk);
    const { url, asked } = await keyServer((res) => answer(res));
    const verify = verifier(url);
    await verify(await token());
    const junk = await token(b, "junk");
    for (let second = 1; second <= 90; second++) {
      vi.advanceTimersByTime(1000);
      const results = await Promise.allSettled([verify(junk), verify(junk)]);
      expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      expect(asked).toHaveBeenCalledTimes(1 + Math.floor(second / 30));
    }
    answer = answerWith(b.jwk);
    const rotated = await token(b);
    for (let second = 1; second <= 29; second++) {
      vi.advanceTimersByTime(1000);
      await verify(junk).catch(() => undefined);
    }
    await expect(verify(rotated)).rejects.toBeInstanceOf(Unauthenticated);
    vi.advanceTimersByTime(1000);
    await expect(verify(rotated)).resolves.toMatchObject({ subject: "ada" });
  });

  it("is valid soon after a rotation if the first request for the new key fails", async () => {
    fakeClock();
    let answer: (res: ServerResponse) => void = answerWith(a.jwk);
    const { url, asked } = await keyServer((res) => answer(res));
    const verify = verifier(url);
    await verify(await token());
    answer = fail;
    vi.advanceTimersByTime(30_000);
    await expect(verify(await token(b))).rejects.toBeInstanceOf(Unauthenticated);
    answer = answerWith(b.jwk);
    vi.advanceTimersByTime(100);
    await expect(verify(await token(b))).resolves.toMatchObject({ subject: "ada" });
    expect(asked).toHaveBeenCalledTimes(3);
  });
});

describe("a key of the set that cannot be used", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const weakJwk = { ...(weak.publicKey.export({ format: "jwk" }) as JWK), kid: "weak", alg: "RS256" };
  const brokenJwk = () => ({ ...a.jwk, kid: "broken", x: "AAAA" });

  function weakToken(): string {
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { iss: "https://issuer.example", aud: "shop", sub: "ada", exp: Math.floor(Date.now() / 1000) + 60 };
    const input = `${encode({ alg: "RS256", kid: "weak" })}.${encode(claims)}`;
    return `${input}.${sign("sha256", Buffer.from(input), weak.privateKey).toString("base64url")}`;
  }

  it.each<[string, () => string | Promise<string>]>([
    ["cannot be imported", () => token(a, "broken")],
    ["is too weak", weakToken],
  ])("invalidates tokens that name it, and no others: it %s", async (_why, make) => {
    const algorithms = ["ES256", "RS256"];
    const { url } = await keyServer(answerWith(brokenJwk(), weakJwk, a.jwk));
    for (const keys of [url, { keys: [brokenJwk(), weakJwk, a.jwk] }]) {
      const verify = verifier(keys, { algorithms });
      const error: unknown = await verify(await make()).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(Unauthenticated);
      expect(error).toMatchObject({ message: "the token is not valid: its key cannot be used" });
      // The cause is for the operator: no token of this key will ever be valid.
      expect((error as Error).cause).toBeInstanceOf(Error);
      await expect(verify(await token())).resolves.toMatchObject({ subject: "ada" });
    }
  });

  it("does not delay a rotation, however many tokens name it", async () => {
    fakeClock();
    let answer = answerWith(brokenJwk(), a.jwk);
    const { url, asked } = await keyServer((res) => answer(res));
    const verify = verifier(url);
    const broken = await token(a, "broken");
    await verify(broken).catch(() => undefined);
    answer = answerWith(brokenJwk(), b.jwk);
    for (let second = 1; second <= 30; second++) {
      vi.advanceTimersByTime(1000);
      await expect(verify(broken)).rejects.toBeInstanceOf(Unauthenticated);
    }
    expect(asked).toHaveBeenCalledOnce();
    await expect(verify(await token(b))).resolves.toMatchObject({ subject: "ada" });
  });
});

describe("a large JWK set", () => {
  /** The minimum time of verifying the token, in milliseconds: longer times may be due to the machine. */
  async function cost(size: number, kid: string | undefined): Promise<number> {
    // Without a `kid` the key is found by its algorithm.
    const others = Array.from({ length: size - 1 }, (_, index) => ({ ...b.jwk, kid: `b${index}`, alg: "ES512" }));
    const verify = verifier((await keyServer(answerWith(...others, a.jwk))).url);
    const jwt = await token(a, kid);
    let least = Infinity;
    for (let round = 0; round < 10; round++) {
      const began = performance.now();
      for (let index = 0; index < 10; index++) await verify(jwt);
      least = Math.min(least, (performance.now() - began) / 10);
    }
    return least;
  }

  it.each([["names its key", "a"] as const, ["names no key", undefined] as const])(
    "costs a token that %s no more than a small JWK set",
    async (_how, kid) => {
      const small = await cost(1, kid);
      expect(await cost(10_000, kid)).toBeLessThan(3 * small);
    },
  );
});

describe("a JWK set that is passed in", () => {
  it("is copied when the verifier is created", async () => {
    const set = { keys: [{ ...a.jwk }] };
    const verify = verifier(set);
    set.keys[0]!.kid = "c";
    set.keys.pop();
    await expect(verify(await token())).resolves.toMatchObject({ subject: "ada" });
  });

  it.each([{ keys: [null] }, { keys: ["a"] }, { keys: {} }])("is rejected if it is %j", (keys) => {
    expect(() => verifier(keys as never)).toThrow(/'keys' must be the URL of a JWK set, a JWK set or a key/);
  });
});

it.each([["keysMaxAge"], ["keysMaxStale"], ["keysCooldown"]])("'%s' must be a duration", (name) => {
  expect(() => verifier(new URL("https://issuer.example/keys"), { [name]: "soon" })).toThrow(
    `'${name}' must be zero or more`,
  );
});
