import { beforeAll, describe, expect, it } from "vitest";

import { send } from "../support/client.ts";
import { serveOn } from "../support/serving.ts";
import { hosts } from "./hosts/index.ts";

// It declares the header of tokens.
beforeAll(() => import("@throughline/identity"));

const TOKEN = "eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl";

describe.each(hosts)("$name", (host) => {
  const { serving } = serveOn(host);

  it("prints a request without the token that waits for its verification, however deep it is printed", async () => {
    let printed = "";
    const url = await serving((received) => ((printed = received.printed()), "ok"));
    await send(host.protocol, url, { "txn-token": TOKEN, "x-kept": "kept-value" }).reply;

    expect(printed).toMatch("kept-value");
    expect(printed.includes(TOKEN)).toBe(false);
  });
});
