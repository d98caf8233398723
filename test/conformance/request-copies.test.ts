import http from "node:http";

import { getRequestListener } from "@hono/node-server";
import { createKey } from "@throughline/context";
import { requestContext } from "@throughline/fetch";
import { propagateValue, textCodec } from "@throughline/http";
import { H3 } from "h3";
import { toNodeHandler } from "h3/node";
import { beforeAll, describe, expect, it } from "vitest";

import { cleanUpAfterEach, serve } from "../support/loopback.ts";

// It registers the header of Txn-Tokens.
beforeAll(() => import("@throughline/identity"));

propagateValue(createKey<string>("region"), { name: "copies-region", codec: textCodec, maxBytes: 64, as: "header" });

cleanUpAfterEach();

type Handler = (request: Request, ...rest: unknown[]) => Promise<Response>;

/** A server of fetch handlers with its own Request class, which makes a real Request on demand. */
interface Server {
  listener(handler: Handler): http.RequestListener;
  copy(request: Request): Request;
}

const SERVERS: Record<string, Server> = {
  // It replaces the global Request with one that accepts its own class.
  "@hono/node-server": { listener: (handler) => getRequestListener(handler), copy: (request) => new Request(request) },
  h3: {
    listener: (handler) => toNodeHandler(new H3().all("/", ({ req }) => handler(req))) as http.RequestListener,
    copy: (request) => request.clone(),
  },
};

/** Ways to make the server create the real Request before the middleware runs. */
const TOUCHES: Record<string, (request: Request) => unknown> = {
  "nothing has touched": () => {},
  "something has read the headers": (request) => request.headers.get("accept"),
  "something has looked at the body": (request) => request.body,
  "something has cloned": (request) => request.clone(),
  "something has waited for the signal": (request) => request.signal.aborted,
};

describe.each(Object.entries(SERVERS))("a request of %s", (_server, { listener, copy }) => {
  it.each(Object.entries(TOUCHES))(
    "that %s has no forged header, and neither have its copies",
    async (_touched, touch) => {
      const seen: Record<string, string> = {};
      const handler = requestContext(async (request: Request) => {
        const copies = { request, clone: request.clone(), copy: copy(request) };
        for (const [name, { headers }] of Object.entries(copies)) seen[name] = [...headers.keys()].join();
        seen["body"] = await copies.copy.text();
        return new Response("ok");
      });
      const { url } = await serve(
        listener((request, ...rest) => {
          touch(request);
          return handler(request, ...(rest as []));
        }),
      );
      const headers = { "copies-region": "evil", "copies.region": "evil", "txn-token": "evil", baggage: "a=1" };
      await send(url, { ...headers, "x-kept": "1" });

      for (const names of [seen["request"], seen["clone"], seen["copy"]]) {
        expect(names).toMatch("x-kept");
        expect(names).not.toMatch(/region|txn-token|baggage/);
      }
      expect(seen["body"]).toBe("body");
    },
  );
});

/** Sends without `fetch`, because the server may have replaced its classes. */
async function send(url: string, headers: http.OutgoingHttpHeaders): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = http.request(url, { method: "POST", headers, agent: false }, (response) => {
      response.resume().on("end", resolve);
    });
    request.on("error", reject).end("body");
  });
}
