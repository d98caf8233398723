import type http from "node:http";

import { background, run, withTimeout } from "@throughline/context";
import { parseGrpcTimeout } from "@throughline/http";
import { describe, expect, it } from "vitest";

import { cleanUpAfterEach, serve } from "../../../test/support/loopback.ts";
import { createFetch } from "./create-fetch.ts";

cleanUpAfterEach();
const fetch = createFetch();

/** Under a deadline: what has none is left to `fetch` itself. */
const [ctx] = withTimeout(background, "1h");
const calling: typeof fetch = (...args) => run(ctx, () => fetch(...args));

/** Tells what it was sent, unless it is told by its path to redirect elsewhere first. */
const target: http.RequestListener = async (req, res) => {
  const { searchParams } = new URL(req.url!, "http://x");
  const [status, to] = [Number(searchParams.get("status")), searchParams.get("to")];
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  if (status > 0) res.writeHead(status, to === null ? {} : { location: to });
  res.end(JSON.stringify({ method: req.method, headers: req.headers, body: Buffer.concat(chunks).toString() }));
};

interface Told {
  method: string;
  headers: Record<string, string>;
  body: string;
}

const to = (url: string, status: number, where = "/"): string =>
  `${url}?status=${status}&to=${encodeURIComponent(where)}`;

describe("a redirect under a deadline", () => {
  it("is followed, and says so", async () => {
    const { url } = await serve(target);
    const response = await calling(to(url, 302, "/found"));

    expect([response.status, response.redirected, response.url]).toEqual([200, true, `${url}found`]);
  });

  it("is told what is left by then", async () => {
    let first = 0;
    const { url } = await serve((req, res) => {
      const sent = req.headers["grpc-timeout"] as string;
      if (req.url === "/found") {
        res.end(sent);
      } else {
        first = parseGrpcTimeout(sent)!;
        setTimeout(() => res.writeHead(302, { location: "/found" }).end(), 40);
      }
    });
    const sent = parseGrpcTimeout(await (await calling(url)).text())!;
    expect(first - sent).toBeGreaterThanOrEqual(39);
  });

  it.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [303, "HEAD", "HEAD", ""],
    [301, "PUT", "PUT", "body"],
    [307, "POST", "POST", "body"],
    [308, "PATCH", "PATCH", "body"],
  ])("of %i makes %s a %s, as the standard has it", async (status, method, becomes, body) => {
    const { url } = await serve(target);
    const response = await calling(to(url, status), {
      method,
      ...(method === "HEAD" ? {} : { body: "body", headers: { "content-type": "text/x" } }),
    });
    if (method === "HEAD") return expect(response.status).toBe(200);
    const told = (await response.json()) as Told;
    expect([told.method, told.body]).toEqual([becomes, body]);
    expect(told.headers["content-type"]).toBe(body === "" ? undefined : "text/x");
  });

  it("to another origin takes no credentials along", async () => {
    const [{ url }, elsewhere] = [await serve(target), await serve(target)];
    const secrets = { authorization: "Bearer x", cookie: "a=b", "proxy-authorization": "Basic x", "x-own": "kept" };
    const there = (await (await calling(to(url, 302, elsewhere.url), { headers: secrets })).json()) as Told;
    const here = (await (await calling(to(url, 302), { headers: secrets })).json()) as Told;

    expect([there.headers["authorization"], there.headers["cookie"], there.headers["proxy-authorization"]]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([there.headers["x-own"], here.headers["authorization"], here.headers["cookie"]]).toEqual([
      "kept",
      "Bearer x",
      "a=b",
    ]);
  });

  it("without a place to go to is the response", async () => {
    const { url } = await serve(target);
    expect((await calling(`${url}?status=302`)).status).toBe(302);
  });

  it.each([
    ["in a circle", (url: string) => to(url, 302, "?status=302&to=/"), undefined],
    ["to another scheme", (url: string) => to(url, 302, "ftp://x/"), /URL scheme must be a HTTP\(S\) scheme/],
    ["to credentials elsewhere", (url: string) => to(url, 302, "http://u:p@x.example/"), /cross origin not allowed/],
  ])("%s fails as fetch does", async (how, urlOf, reason) => {
    const { url } = await serve((req, res) => {
      if (how === "in a circle") res.writeHead(302, { location: "/again" }).end();
      else target(req, res);
    });
    const error = (await calling(urlOf(url)).catch((e: unknown) => e)) as TypeError;
    expect([error.name, error.message]).toEqual(["TypeError", "fetch failed"]);
    expect((error.cause as Error).message).toMatch(reason ?? /redirect count exceeded/);
  });

  it("of a body that is a stream fails, as there is nothing left to send", async () => {
    const { url } = await serve(target);
    const body = new Blob(["streamed"]).stream();
    const call = calling(to(url, 307), { method: "POST", body, duplex: "half" } as RequestInit);
    await expect(call).rejects.toThrow("fetch failed");
  });

  it("is an error, or the response, where the caller wants it so", async () => {
    const { url } = await serve(target);
    await expect(calling(to(url, 302), { redirect: "error" })).rejects.toThrow("fetch failed");
    const response = await calling(to(url, 302), { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([302, "/"]);
  });

  it("of a Request, whose body only fetch can send again, is followed by fetch", async () => {
    const { url } = await serve(target);
    const response = await calling(new Request(to(url, 307), { method: "POST", body: "body" }));
    expect(((await response.json()) as Told).body).toBe("body");
  });

  it("ends with its context while it is followed", async () => {
    const [short] = withTimeout(background, 60);
    const { url } = await serve((req, res) => {
      if (req.url === "/") res.writeHead(302, { location: "/slow" }).end();
    });
    const error: unknown = await run(short, () => fetch(url)).catch((e: unknown) => e);
    expect(error).toBe(short.err());
  });
});
