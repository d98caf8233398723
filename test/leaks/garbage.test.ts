import { describe, expect, it } from "vitest";

import { hosts } from "../conformance/hosts/index.ts";
import { AnswerReader } from "../support/answer-reader.ts";
import { dial } from "../support/dial.ts";
import { serveOn } from "../support/serving.ts";

/** Sends requests over one connection, each when the one before has been answered. */
function ask(url: string, requests: number): Promise<void> {
  const { pathname } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nhost: test\r\ngrpc-timeout: 5S\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const socket = dial(url);
    const reader = new AnswerReader();
    let left = requests;
    const next = (): void => void (left-- > 0 ? socket.write(request) : socket.end(resolve));
    socket.on("data", (chunk) => {
      if (reader.read(chunk) > 0) next();
    });
    socket.once("connect", next).once("error", reject);
  });
}

/** Kibibytes that a request leaves behind for the full collection, once the small one has gone over what is young. */
async function leftByEach(url: string, requests: number): Promise<number> {
  await ask(url, requests);
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  await ask(url, requests);
  // What survives once is looked at a second time before it counts as old.
  for (let times = 0; times < 2; times++) globalThis.gc!({ type: "minor" });
  return (process.memoryUsage().heapUsed - before) / 1024 / requests;
}

const plain = hosts.filter(({ protocol, isSecure }) => protocol === "http/1.1" && !isSecure);

describe.each(plain)("$name", (host) => {
  const { serving } = serveOn(host);

  it("keeps nothing of a request that is over past the next small collection", async () => {
    const url = await serving(() => "ok", { maxTimeout: "30s" });
    console.log(host.name, await leftByEach(url, 1000));
    expect(await leftByEach(url, 1000)).toBeLessThan(2.5);
  });
});
