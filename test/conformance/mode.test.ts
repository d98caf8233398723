import { current, run, withoutCancel } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";

describe.each(hosts)("$name", (host) => {
  const { answer } = serveOn(host);

  describe("mode", () => {
    /** The deadline that the next service receives, the remaining time in this one, and the status. */
    async function under(
      mode: "observe" | "propagate" | "enforce",
      timeout: string,
    ): Promise<{ sent: string | null; left: number; status: number }> {
      const seen: { sent: string | null; left: number } = { sent: null, left: 0 };
      const fetch = createFetch({
        fetch: async (_input, init) => ((seen.sent = new Headers(init?.headers).get("grpc-timeout")), new Response()),
      });
      const { reply } = await answer({ "grpc-timeout": timeout }, { mode }, async () => {
        seen.left = current().remaining();
        await fetch("http://next.example/");
        return "ok";
      });
      return { ...seen, status: reply.status };
    }

    it("observe neither enforces nor sends a deadline", async () => {
      expect(await under("observe", "2S")).toEqual({ sent: null, left: Infinity, status: 200 });
      expect(await under("observe", "0m")).toEqual({ sent: null, left: Infinity, status: 200 });
    });

    it("propagate sends the deadline and does not enforce it, even after it has passed", async () => {
      const { sent, left, status } = await under("propagate", "2S");
      expect([left, status]).toEqual([Infinity, 200]);
      expect(sent).toMatch(/^1\d{3}m$/);
      expect(await under("propagate", "0m")).toEqual({ sent: "1m", left: Infinity, status: 200 });
    });

    it("propagate sends no deadline from a context without cancellation", async () => {
      let sent: string | null = "none seen";
      const fetch = createFetch({
        fetch: async (_input, init) => ((sent = new Headers(init?.headers).get("grpc-timeout")), new Response()),
      });
      await answer({ "grpc-timeout": "2S" }, { mode: "propagate" }, async () => {
        await run(withoutCancel(current()), () => fetch("http://next.example/"));
        return "ok";
      });
      expect(sent).toBeNull();
    });

    it("enforce enforces the deadline and sends it", async () => {
      const { sent, left, status } = await under("enforce", "2S");
      expect([left <= 2000, status]).toEqual([true, 200]);
      expect(sent).toMatch(/^1\d{3}m$/);
    });
  });
});
