import { beforeAll, describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { send } from "../support/http-client.ts";

// It registers the header of Txn-Tokens.
beforeAll(() => import("@throughline/identity"));

const TOKEN = "eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl";

describe.each(hosts)("$name", (host) => {
  const { serving } = serveOn(host);

  it("prints a request without its unverified Txn-Token, at any depth", async () => {
    let printed = "";
    const url = await serving((received) => ((printed = received.printed()), "ok"));
    await send(host.protocol, url, { "txn-token": TOKEN, "x-kept": "kept-value" }).reply;

    expect(printed).toMatch("kept-value");
    expect(printed.includes(TOKEN)).toBe(false);
  });
});
