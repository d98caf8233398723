import { PassThrough } from "node:stream";

import { describe, expect, it, vi } from "vitest";

import { type Handler, hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";
import { recordSpans } from "../support/spans.ts";

/** Writes the head of a 200 response and then nothing. */
const writesHead: Handler = ({ node: { res } }) => {
  if ("respond" in res) (res as { respond(headers: object): void }).respond({ ":status": 200 });
  else res.writeHead(200, "Fine", { "content-type": "text/html", "content-length": 5, etag: '"x"' });
  return new Promise(() => {});
};
const returnsSilentBody: Handler = () => new PassThrough();

describe.each(hosts)("on $name", (host) => {
  const { serving } = serveOn(host);
  const spans = recordSpans();
  const isStream = host.name === "streams of node:http2";

  describe.each<readonly [string, Handler, isSent: boolean]>([
    // @hono/node-server sends the head when it must wait for the body.
    ["the head of a response whose body has not started", returnsSilentBody, host.isFetch === true || isStream],
    ...(host.isFetch ? [] : [["a head that the handler wrote", writesHead, host.protocol === "http/2"] as const]),
  ])("%s", (_what, handler, isSent) => {
    it.runIf(!isSent)("is not sent: a deadline is answered 504", async () => {
      const { status, headers, json } = await send(host.protocol, await serving(handler), { "grpc-timeout": "30m" })
        .reply;

      expect([status, headers["content-type"], headers["etag"]]).toEqual([504, "application/problem+json", undefined]);
      expect(json()).toMatchObject({ title: "Deadline exceeded", budgetMs: 30 });
      await spans.take(1);
    });

    it.runIf(!isSent)("is not sent: firstByteTimeout applies", async () => {
      const { status, json } = await send(host.protocol, await serving(handler, { firstByteTimeout: 30 })).reply;

      expect([status, json()["setBy"]]).toEqual([504, "firstByteTimeout"]);
      await spans.take(1);
    });

    it.runIf(isSent)("has been sent: a deadline aborts the response", async () => {
      const { reply } = send(host.protocol, await serving(handler), { "grpc-timeout": "60m" });

      await expect(reply).rejects.toThrow();
      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({ "throughline.ended_by": "deadline", "http.response.status_code": 200 });
    });

    it("gives the span of a disconnected client a status only if it has been sent", async () => {
      let isRunning = false;
      const url = await serving((received) => {
        isRunning = true;
        return handler(received);
      });
      const sent = send(host.protocol, url);
      sent.reply.catch(() => {});
      await vi.waitUntil(() => isRunning);
      await new Promise((resolve) => setTimeout(resolve, 20));
      sent.leave();

      const [span] = await spans.take(1);
      expect([span!.attributes["throughline.ended_by"], span!.attributes["http.response.status_code"]]).toEqual([
        "client",
        isSent ? 200 : undefined,
      ]);
    });
  });
});
