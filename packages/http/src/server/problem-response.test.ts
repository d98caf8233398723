import { DeadlineExceeded } from "@throughline/context";
import { expect, it } from "vitest";

import { ServerDraining, ServerOverloaded } from "../wire/errors.ts";
import { problemResponse, isRepresentationHeader } from "./problem-response.ts";
import { problemOf } from "./problem.ts";

const deadline = problemOf(new DeadlineExceeded())!;

it("takes the place of the body that was to come, and leaves what is not about it", () => {
  const headers = [
    "Content-Length",
    "content-encoding",
    "ETag",
    "cache-control",
    "access-control-allow-origin",
    "content-security-policy",
    "set-cookie",
    "vary",
  ];
  expect(headers.filter(isRepresentationHeader)).toEqual([
    "Content-Length",
    "content-encoding",
    "ETag",
    "cache-control",
  ]);
});

it("lets a caller tell our expiry from a proxy's, and whether anything had been started", () => {
  expect(problemResponse(deadline, false).headers["throughline-outcome"]).toBe("deadline-exceeded;started=?0");
  expect(problemResponse(deadline, true).headers["throughline-outcome"]).toBe("deadline-exceeded;started=?1");
});

it.each([
  [undefined, "application/problem+json"],
  ["*/*", "application/problem+json"],
  ["application/problem+json, application/json;q=0.5", "application/problem+json"],
  ["application/json", "application/json"],
  ["text/html, application/xhtml+xml, */*;q=0.8", "text/plain; charset=utf-8"],
  ["text/plain", "text/plain; charset=utf-8"],
  ["image/png", "application/problem+json"],
])("for a client that accepts %s it is %s", (accept, type) => {
  const { headers, body } = problemResponse(deadline, false, accept);
  expect(headers["content-type"]).toBe(type);
  expect(body).toBe(type.startsWith("text") ? "Deadline exceeded\n" : JSON.stringify(deadline.document));
});

it("says when to try again: at once elsewhere, or in a while here", () => {
  expect(problemResponse(problemOf(new ServerDraining())!, false).headers["retry-after"]).toBe("0");
  const waits = new Set(
    Array.from(
      { length: 100 },
      () => problemResponse(problemOf(new ServerOverloaded())!, false).headers["retry-after"],
    ),
  );
  // Those that were refused together must not all come back together.
  expect([...waits].sort((a, b) => Number(a) - Number(b))).toEqual(["1", "2", "3"]);
  expect(problemResponse(deadline, false).headers["retry-after"]).toBeUndefined();
});
