import { PassThrough } from "node:stream";

import { describe, expect, it, vi } from "vitest";

import { send } from "../support/client.ts";
import { serveOn } from "../support/serving.ts";
import { recordSpans } from "../support/spans.ts";
import { type Handler, hosts } from "./hosts/index.ts";

/** A handler that makes the head of a 200, and then nothing. */
const writesHead: Handler = ({ node: { res } }) => {
  if ("respond" in res) (res as { respond(headers: object): void }).respond({ ":status": 200 });
  else res.writeHead(200, "Fine", { "content-type": "text/html", "content-length": 5, etag: '"x"' });
  return new Promise(() => {});
};
const returnsQuietBody: Handler = () => new PassThrough();

describe.each(hosts)("on $name", (host) => {
  const { serving } = serveOn(host);
  const spans = recordSpans();
  const isStream = host.name === "streams of node:http2";

  describe.each<readonly [string, Handler, isSent: boolean]>([
    // @hono/node-server sends a head as soon as a body keeps it waiting.
    ["a body that has not begun", returnsQuietBody, host.isFetch === true || isStream],
    ...(host.isFetch ? [] : [["a head that was written", writesHead, host.protocol === "http/2"] as const]),
  ])("%s", (_what, handler, isSent) => {
    it.runIf(!isSent)("is not sent: a deadline is answered 504 in its place", async () => {
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

    it.runIf(isSent)("has been sent: a deadline breaks the response off", async () => {
      const { reply } = send(host.protocol, await serving(handler), { "grpc-timeout": "60m" });

      await expect(reply).rejects.toThrow();
      const [span] = await spans.take(1);
      expect(span!.attributes).toMatchObject({ "throughline.ended_by": "deadline", "http.response.status_code": 200 });
    });

    it("is the status of a client that has left only if it has been sent", async () => {
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
