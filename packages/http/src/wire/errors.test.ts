import { background, Canceled, DeadlineExceeded, withCancel } from "@throughline/context";
import { describe, expect, it, vi } from "vitest";

import {
  ClientDisconnected,
  Forbidden,
  InvalidDeadline,
  InvalidHeader,
  ResponseSent,
  ServerDraining,
  ServerOverloaded,
  Unauthenticated,
} from "./errors.ts";

/** Returns the error of a context that was canceled with this cause. */
function canceledBy(cause: Error): Error {
  const [ctx, cancel] = withCancel(background);
  cancel(cause);
  return ctx.err()!;
}

interface HttpError extends Error {
  readonly status: number;
  readonly statusCode: number;
  readonly expose: boolean;
  readonly headers?: Record<string, string>;
}

describe("properties of http-errors", () => {
  it.each<[string, Error, number, Record<string, string> | undefined]>([
    ["DeadlineExceeded", new DeadlineExceeded(), 504, undefined],
    ["Canceled", new Canceled(), 499, undefined],
    ["Canceled by ClientDisconnected", canceledBy(new ClientDisconnected()), 499, undefined],
    ["Canceled by ServerDraining", canceledBy(new ServerDraining()), 503, undefined],
    ["Canceled by an application error", canceledBy(new Error("a bug")), 499, undefined],
    ["ClientDisconnected", new ClientDisconnected(), 499, undefined],
    ["ResponseSent", new ResponseSent(), 499, undefined],
    ["ServerDraining", new ServerDraining(), 503, { "retry-after": "0" }],
    ["ServerOverloaded", new ServerOverloaded(), 503, { "retry-after": expect.stringMatching(/^[123]$/) as string }],
    ["Unauthenticated", new Unauthenticated(), 401, { "www-authenticate": "Bearer" }],
    [
      "Unauthenticated with a challenge",
      new Unauthenticated("who?", { challenge: 'Basic realm="x"' }),
      401,
      { "www-authenticate": 'Basic realm="x"' },
    ],
    [
      "Unauthenticated with a challenge that is not a header value",
      new Unauthenticated("who?", { challenge: "a\r\nb" }),
      401,
      { "www-authenticate": "Bearer" },
    ],
    ["Forbidden", new Forbidden(), 403, {}],
    ["Forbidden with a challenge", new Forbidden("no", { challenge: "Bearer" }), 403, { "www-authenticate": "Bearer" }],
    ["Forbidden with a challenge that is not a header value", new Forbidden("no", { challenge: "a\nb" }), 403, {}],
    ["InvalidDeadline", new InvalidDeadline("grpc-timeout", "digits", "soon"), 400, undefined],
    ["InvalidHeader", new InvalidHeader("txn-token"), 400, undefined],
  ])("%s has status, expose and headers", (_what, error, status, headers) => {
    const { status: own, statusCode, expose, headers: sent } = error as HttpError;

    expect([own, statusCode, expose]).toEqual([status, status, status < 500]);
    expect(sent).toEqual(headers);
  });
});

it("ServerOverloaded has a random Retry-After of 1 to 3 seconds", () => {
  const random = vi.spyOn(Math, "random");
  const asked = [0, 0.34, 0.67, 0.999].map((value) => {
    random.mockReturnValue(value);
    return new ServerOverloaded().headers["retry-after"];
  });
  random.mockRestore();

  expect(asked).toEqual(["1", "2", "3", "3"]);
});
