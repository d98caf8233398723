import { once } from "node:events";
import http2 from "node:http2";
import { text } from "node:stream/consumers";
import { runInNewContext } from "node:vm";

import { DeadlineExceeded } from "@throughline/context";
import { Forbidden, Unauthenticated } from "@throughline/http";
import { describe, expect, it } from "vitest";

import { type Host, hosts, serve } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { dial, send } from "../support/http-client.ts";

/** Never settles, so that only the deadline ends the request. */
function untilDeadline(): Promise<never> {
  return new Promise(() => {});
}

describe.each(hosts)("$name", (host) => {
  const { serving, answer } = serveOn(host);

  describe("on a server that throws if a HEAD response has a body", () => {
    it.each([
      ["has passed on arrival", "0m"],
      ["passes in the handler", "30m"],
    ])("answers 504 without a body to a HEAD request whose deadline %s", async (_when, timeout) => {
      const nodes = { rejectNonStandardBodyWrites: true };
      await using served = await serve(host, untilDeadline, undefined, undefined, nodes);
      const { reply } = send(host.protocol, served.url, { "grpc-timeout": timeout }, { method: "HEAD" });

      expect(await reply).toMatchObject({ status: 504, body: "" });
    });
  });

  it.each([
    ["is not authenticated", 401, (challenge: string) => new Unauthenticated(undefined, { challenge }), "Bearer"],
    ["is not allowed", 403, (challenge: string) => new Forbidden(undefined, { challenge }), undefined],
  ])(
    "for a request that %s, answers %i without a challenge that is not a valid header value",
    async (_why, status, make, header) => {
      for (const challenge of ['Bearer realm="a\r\nx-evil: 1"', "Bearer realm=\u2603", "a\0b", 7 as never]) {
        const { reply } = await answer({}, {}, () => {
          throw make(challenge);
        });

        expect([reply.status, reply.headers["www-authenticate"]]).toEqual([status, header]);
        expect(reply.headers["x-evil"]).toBeUndefined();
      }
    },
  );

  it.each([
    ["an error", "Object.assign(new Error('aborted', { cause }), { name: 'AbortError', code: 'ABORT_ERR' })"],
    ["an AggregateError", "new AggregateError([new Error('the query failed'), cause], 'all failed')"],
  ])("answers 504 to %s of another realm whose cause is the deadline", async (_what, code) => {
    const { reply } = await answer({}, {}, () => {
      throw runInNewContext(code, { cause: new DeadlineExceeded() });
    });

    expect(reply.status).toBe(504);
  });

  it("removes headers that describe the handler's body from a 504 and keeps all others", async () => {
    const about = {
      "content-type": "text/html",
      "content-disposition": "attachment",
      etag: '"x"',
      expires: "Wed, 21 Oct 2099 07:28:00 GMT",
      "cdn-cache-control": "max-age=600",
      "cloudflare-cdn-cache-control": "max-age=600",
      "surrogate-control": "max-age=600",
      "surrogate-key": "items",
      "cache-tag": "items",
      location: "/elsewhere",
      "x-accel-redirect": "/protected/file",
      "x-sendfile": "/protected/file",
    };
    const others = { "access-control-allow-origin": "*", vary: "origin", "set-cookie": "a=1", "x-request-id": "7" };
    const { reply } = await answer({ "grpc-timeout": "30m" }, {}, (received) => {
      for (const [name, value] of Object.entries({ ...about, ...others })) received.setHeader?.(name, value);
      return untilDeadline();
    });

    expect(reply.status).toBe(504);
    expect(reply.headers["cache-control"]).toBe("no-store");
    expect(Object.entries(about).filter(([name, value]) => reply.headers[name] === value)).toEqual([]);
    if (!setsHeaders(host)) return;
    expect(reply.headers).toMatchObject({ ...others, "set-cookie": ["a=1"] });
  });

  it.each(["[", "[::1", "a b", "a:b", "a:99999", "%", "a/b", "x\u00FF", "", "@", "a@b", "::"])(
    "answers or refuses a request for the host %j, and answers the next one",
    async (authority) => {
      const url = await serving(() => "ok");
      const status = await statusFor(host, url, authority);

      expect([200, ...REFUSED]).toContain(status);
      expect((await send(host.protocol, url).reply).status).toBe(200);
    },
  );
});

/** Whether handlers can set headers before they return: not on a Response or on an HTTP/2 stream. */
function setsHeaders({ name }: Host): boolean {
  return /^(?:Express|Fastify|Koa|Nest|node:)/.test(name);
}

/**
 * The ways to refuse a host: a status (500 is the error handler of the fetch hosts in these tests) or a stream reset.
 */
const REFUSED = [400, 500, "NGHTTP2_PROTOCOL_ERROR"];

/** The status or the error code of the response to a request with this host. */
async function statusFor({ protocol }: Host, url: string, authority: string): Promise<number | string> {
  const { origin, pathname } = new URL(url);
  if (protocol === "http/1.1") {
    const socket = dial(url);
    socket.write(Buffer.from(`GET ${pathname} HTTP/1.1\r\nhost: ${authority}\r\nconnection: close\r\n\r\n`, "latin1"));
    return Number((await text(socket)).split(" ", 2)[1]);
  }
  const session = http2.connect(origin, { rejectUnauthorized: false });
  try {
    const stream = session.request({ ":path": pathname, ":authority": authority });
    const [head] = (await once(stream, "response")) as [http2.IncomingHttpStatusHeader];
    return head[":status"]!;
  } catch (error) {
    return /NGHTTP2_\w+/.exec((error as Error).message)?.[0] ?? String(error);
  } finally {
    session.destroy();
  }
}
