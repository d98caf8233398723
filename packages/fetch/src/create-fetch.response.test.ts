import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { describe, expect, it } from "vitest";

import { createFetch } from "./create-fetch.ts";

const fetch = createFetch();
cleanUpAfterEach();

describe("the response", () => {
  it("is that of the wrapped fetch", async () => {
    const { url } = await serve((req, res) =>
      req.url === "/"
        ? res.writeHead(302, { location: "/there" }).end()
        : res.writeHead(201, "Made", { "x-a": "1" }).end("body"),
    );
    const response = await fetch(url);

    expect(response).toBeInstanceOf(Response);
    expect(response).toMatchObject({
      url: `${url}there`,
      redirected: true,
      status: 201,
      statusText: "Made",
      type: "basic",
    });
    expect(response.headers.get("x-a")).toBe("1");
    const copy = response.clone();
    expect(copy.url).toBe(`${url}there`);
    expect([await copy.text(), await response.text()]).toEqual(["body", "body"]);
  });

  it("may have a status that the standard does not define", async () => {
    const { url } = await serve((_req, res) => void res.writeHead(999).end("odd"));
    const response = await fetch(url);
    expect([response.status, response.ok, await response.text()]).toEqual([999, false, "odd"]);
  });

  it("is streamed", async () => {
    const more = Promise.withResolvers<void>();
    const { url } = await serve(async (_req, res) => {
      res.write("one");
      await more.promise;
      res.end("two");
    });
    const chunks: string[] = [];
    for await (const chunk of (await fetch(url)).body!.pipeThrough(new TextDecoderStream())) {
      chunks.push(chunk);
      more.resolve();
    }

    expect(chunks).toEqual(["one", "two"]);
  });

  it("can be read into the reader's buffer (BYOB)", async () => {
    const { url } = await serve((_req, res) => void res.end("bytes"));
    const reader = (await fetch(url)).body!.getReader({ mode: "byob" });

    expect(Buffer.from((await reader.read(new Uint8Array(10))).value!).toString()).toBe("bytes");
    expect((await reader.read(new Uint8Array(10))).done).toBe(true);
  });
});
