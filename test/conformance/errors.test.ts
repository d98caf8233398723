import { Canceled, current, DeadlineExceeded } from "@throughline/context";
import { ServerOverloaded, Unauthenticated } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { describe, expect, it } from "vitest";

import { serveOn } from "../support/serving.ts";
import { hosts } from "./hosts/index.ts";

describe.each(hosts)("$name", (host) => {
  const { answer } = serveOn(host);

  describe("an error of the handler", () => {
    it.each<[string, unknown, number]>([
      ["a deadline", new DeadlineExceeded(), 504],
      ["a deadline in another error", new Error("query failed", { cause: new DeadlineExceeded() }), 504],
      ["one of several", new AggregateError([new Error("a"), new DeadlineExceeded()]), 504],
      ["too much to do", new ServerOverloaded(), 503],
      ["nobody known", new Unauthenticated(), 401],
    ])("that is %s is answered", async (_what, error, status) => {
      const { reply } = await answer({}, {}, () => Promise.reject(error));

      expect(reply.status).toBe(status);
      expect(reply.headers["content-type"]).toMatch("application/problem+json");
      expect(reply.json()["status"]).toBe(status);
      if (status === 401) expect(reply.headers["www-authenticate"]).toBe("Bearer");
      if (status === 503) expect(reply.headers["retry-after"]).toMatch(/^[123]$/);
    });

    it.each([new Error("a bug"), new Canceled("the application's own"), "a string"])(
      "that is %s is the application's own",
      async (error) => {
        const { reply } = await answer({ "grpc-timeout": "2S" }, {}, () => Promise.reject(error));

        expect([reply.status, reply.body]).toEqual([500, "the application's own handler"]);
      },
    );

    it("is answered in text to a client that asks for that", async () => {
      const refused = await answer({ accept: "text/html", "grpc-timeout": "0m" });
      const late = await answer({ accept: "text/plain", "grpc-timeout": "20m" }, {}, async () => {
        await sleep(current(), "10s");
        return "too late";
      });

      for (const { reply } of [refused, late]) {
        expect([reply.status, reply.body]).toEqual([504, "Deadline exceeded\n"]);
        expect(reply.headers["content-type"]).toMatch(/^text\/plain/);
      }
    });
  });
});
