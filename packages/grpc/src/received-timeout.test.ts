import { once } from "node:events";
import http2 from "node:http2";

import { current } from "@throughline/context";
import { describe, expect, it } from "vitest";

import { serveEcho } from "./echo.fixture.ts";

/** Sends a unary call over a raw HTTP/2 stream, with a header that no client would write. */
async function sendRaw(
  timeout: string,
): Promise<{ status: string; message: string; ran: boolean; remaining: number | undefined }> {
  let remaining: number | undefined;
  await using served = await serveEcho({
    Unary: (_call, callback) => ((remaining = current().remaining()), callback(null, "answer")),
  });
  const session = http2.connect(`http://${served.address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": "/test.Echo/Unary",
    "content-type": "application/grpc",
    te: "trailers",
    "grpc-timeout": timeout,
  });
  const body = Buffer.from('"question"');
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([frame, body]));
  const received: Record<string, unknown> = {};
  stream.on("response", (headers) => Object.assign(received, headers));
  stream.on("trailers", (headers) => Object.assign(received, headers));
  stream.resume();
  await once(stream, "close");
  session.close();
  return {
    status: String(received["grpc-status"]),
    message: decodeURIComponent(String(received["grpc-message"] ?? "")),
    ran: remaining !== undefined,
    remaining,
  };
}

describe("a server", () => {
  it.each(["0S", "00000000S"])(
    "answers a call whose deadline has passed on arrival, without running a handler: %s",
    async (timeout) => {
      const { status, ran } = await sendRaw(timeout);
      expect([status, ran]).toEqual(["4", false]);
    },
  );

  it.each([
    "-1S",
    "1234x",
    "1234s",
    "1234",
    "1",
    "9a1S",
    "000000000S",
    "18f6n",
    "tomorrow",
    "123456789m",
    "1SS",
    "1S,2S",
    "+1S",
    "1.5S",
  ])("rejects a malformed deadline, without running a handler: %s", async (timeout) => {
    const { status, message, ran } = await sendRaw(timeout);
    expect([status, ran]).toEqual(["13", false]);
    expect(message).toMatch(/grpc-timeout/);
  });

  it.each([
    ["200m", 200],
    ["1234S", 1_234_000],
    ["597H", 597 * 3_600_000],
    ["00000010S", 10_000],
    ["99999999M", 99_999_999 * 60_000],
  ])("parses %s", async (timeout, ms) => {
    const { status, remaining } = await sendRaw(timeout);
    expect(status).toBe("0");
    expect(remaining).toBeLessThanOrEqual(ms);
    expect(remaining).toBeGreaterThan(ms - 150);
  });
});
