import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";

import { createKey, current } from "@throughline/context";
import { propagateValue, requestContext, textCodec } from "@throughline/http";
import { type GenerateResult, generate } from "selfsigned";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { hosts, serve } from "../hosts/index.ts";
import { dial, send } from "../support/http-client.ts";
import { atEnd, cleanUpAfterEach } from "../support/loopback.ts";

const regionKey = createKey<string>("region");
propagateValue(regionKey, { name: "peer-region", codec: textCodec, maxBytes: 64, as: "header" });
const HEADERS = { "peer-region": "eu-1" };

/** Responds with the accepted region. */
const acceptedRegion = (): string => current().value(regionKey) ?? "none";

cleanUpAfterEach();

/** A self-signed certificate with one or several common names, and with URIs. */
function certificate(commonName: string | string[], ...uris: string[]): Promise<GenerateResult> {
  const altNames = uris.map((value) => ({ type: 6 as const, value }));
  const names = [commonName].flat().map((value) => ({ name: "commonName", value }));
  return generate(names, {
    algorithm: "sha256",
    keyType: "ec",
    extensions: altNames.length === 0 ? [] : [{ name: "subjectAltName", altNames }],
  });
}

describe("over a unix socket", () => {
  async function onUnixSocket(trust: { unixSocket: boolean }): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "peers-"));
    const socketPath = join(folder, "socket");
    const server = http.createServer(requestContext((_req, res) => void res.end(acceptedRegion()), { trust }));
    await once(server.listen(socketPath), "listening");
    atEnd(async () => {
      server.close().closeAllConnections();
      await rm(folder, { recursive: true });
    });
    const request = http.get({ socketPath, path: "/", headers: HEADERS, agent: false });
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return (await response.setEncoding("utf8").toArray()).join("");
  }

  it("a peer is trusted with unixSocket: true only", async () => {
    expect(await onUnixSocket({ unixSocket: true })).toBe("eu-1");
    expect(await onUnixSocket({ unixSocket: false })).toBe("none");
  });

  it("a peer over TCP is not trusted", async () => {
    const { url, close } = await serve(
      hosts.find(({ name }) => name === "node:http")!,
      acceptedRegion,
      {
        trust: { unixSocket: true },
      },
    );
    atEnd(close);
    expect((await send("http/1.1", url, HEADERS).reply).body).toBe("none");
  });

  it("a peer over TCP is not trusted after it has disconnected", async () => {
    const taken = vi.fn();
    const receive = requestContext(() => taken(acceptedRegion()), { trust: { unixSocket: true } });
    const server = http.createServer((req, res) => {
      // Like a middleware that waits before the request context.
      req.socket.once("close", () => server.emit("received", receive(req, res)));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    atEnd(async () => server.close());
    const socket = dial(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.once("request", () => socket.destroy());
    socket.write("GET / HTTP/1.1\r\nhost: x\r\npeer-region: eu-1\r\n\r\n");
    await once(server, "received");
    expect(taken.mock.calls.flat()).not.toContain("eu-1");
  });
});

describe.each(hosts.filter(({ isSecure }) => isSecure))("$name, of a peer with a certificate", (host) => {
  let gateway: GenerateResult;
  let spiffe: GenerateResult;
  beforeAll(async () => {
    [gateway, spiffe] = await Promise.all([certificate("gateway"), certificate("x", "spiffe://shop/gateway")]);
  });

  /** The region that a server accepts from a peer. @param known the certificates that the server trusts */
  async function regionFrom(
    shown: GenerateResult | undefined,
    known: readonly GenerateResult[],
    subjects: string[],
  ): Promise<string> {
    const options = { requestCert: true, rejectUnauthorized: false, ca: known.map(({ cert }) => cert) };
    const { url, close } = await serve(host, acceptedRegion, { trust: { subjects } }, undefined, options);
    atEnd(close);
    const proof = shown === undefined ? {} : { certificate: { key: shown.private, cert: shown.cert } };
    return (await send(host.protocol, url, HEADERS, proof).reply).body;
  }

  it("that is valid for a trusted subject, values are accepted", async () => {
    expect(await regionFrom(gateway, [gateway, spiffe], ["CN=gateway"])).toBe("eu-1");
    expect(await regionFrom(spiffe, [gateway, spiffe], ["URI:spiffe://shop/gateway"])).toBe("eu-1");
  });

  it("that is valid for another subject, nothing is accepted", async () => {
    expect(await regionFrom(spiffe, [gateway, spiffe], ["CN=gateway"])).toBe("none");
    expect(await regionFrom(gateway, [gateway, spiffe], ["CN=gate", "CN=gateway2", "URI:gateway"])).toBe("none");
  });

  it("that is not verified or not sent, nothing is accepted", async () => {
    expect(await regionFrom(await certificate("gateway"), [gateway], ["CN=gateway"])).toBe("none");
    expect(await regionFrom(gateway, [], ["CN=gateway"])).toBe("none");
    expect(await regionFrom(undefined, [gateway], ["CN=gateway"])).toBe("none");
  });

  it("that has two common names, nothing is accepted for either", async () => {
    const two = await certificate(["gateway", "x"], "spiffe://shop/two");
    const subjects = ["CN=gateway", "CN=x", "CN=gateway,x"];
    expect(await regionFrom(two, [two], subjects)).toBe("none");
    expect(await regionFrom(two, [two], [...subjects, "URI:spiffe://shop/two"])).toBe("eu-1");
  });

  it("that has a trusted subject inside of another name, nothing is accepted", async () => {
    const misleading = await certificate("x", "http://x/, DNS:gateway.internal, URI:spiffe://shop/gateway, y");
    const subjects = ["DNS:gateway.internal", "URI:spiffe://shop/gateway"];
    expect(await regionFrom(misleading, [misleading], subjects)).toBe("none");
  });
});

describe("a TLS session that is resumed", () => {
  /** Calls twice in one TLS session. Returns the accepted region of each call and whether the session was resumed. */
  async function twice(shown: GenerateResult | undefined, known: GenerateResult): Promise<[string, boolean][]> {
    const host = hosts.find(({ name }) => name === "Express 5 over TLS")!;
    const options = { requestCert: true, rejectUnauthorized: false, ca: known.cert };
    const { url, close } = await serve(
      host,
      acceptedRegion,
      { trust: { subjects: ["CN=gateway"] } },
      undefined,
      options,
    );
    atEnd(close);
    let session: Buffer | undefined;
    async function call(proof: tls.ConnectionOptions): Promise<[string, boolean]> {
      const { port, pathname } = new URL(url);
      const socket = tls.connect({ ...proof, port: Number(port), host: "127.0.0.1", rejectUnauthorized: false });
      socket.on("session", (ticket: Buffer) => (session = ticket)).setEncoding("utf8");
      await once(socket, "secureConnect");
      const isResumed = socket.isSessionReused();
      socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\npeer-region: eu-1\r\n\r\n`);
      const answer = (await socket.toArray()).join("");
      return [answer.slice(answer.indexOf("\r\n\r\n") + 4), isResumed];
    }
    const first = await call(shown === undefined ? {} : { key: shown.private, cert: shown.cert });
    return [first, await call({ session: session! })];
  }

  it("belongs to the peer of the first connection", async () => {
    const [gateway, another] = await Promise.all([certificate("gateway"), certificate("gateway")]);

    expect(await twice(gateway, gateway)).toEqual([
      ["eu-1", false],
      ["eu-1", true],
    ]);
    for (const shown of [another, undefined]) {
      expect(await twice(shown, gateway)).toEqual([
        ["none", false],
        ["none", true],
      ]);
    }
  });
});
