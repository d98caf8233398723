import { Canceled, DeadlineExceeded } from "@throughline/context";
import { expect, it } from "vitest";

import { isRepresentationHeader, problemHeaders, problemOf } from "./problem.ts";

it("a deadline tells its budget, what had passed, and who set it, and nothing else", () => {
  const error = new DeadlineExceeded("secret message", {
    budget: 1480.4,
    elapsed: 1481.6,
    source: "maxTimeout",
    cause: new Error("secret"),
  });

  expect(problemOf(error)).toEqual({
    type: "urn:throughline:problem:deadline-exceeded",
    title: "Deadline exceeded",
    status: 504,
    budgetMs: 1480,
    elapsedMs: 1482,
    setBy: "maxTimeout",
  });
});

it("the error may be the cause of another", () => {
  const deadline = new DeadlineExceeded();
  const wrapped = new Error("query failed", { cause: new Error("connection closed", { cause: deadline }) });

  expect(problemOf(wrapped)?.status).toBe(504);
});

it("a chain of causes may go round in a circle", () => {
  const [a, b] = [new Error("a"), new Error("b")];
  [a.cause, b.cause] = [b, a];
  expect(problemOf(a)).toBeUndefined();
});

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

it.each([new Error("a bug"), new Canceled(), "a string", undefined])("%s is the application's own", (error) => {
  expect(problemOf(error)).toBeUndefined();
});

it("a caller can tell our expiry from a proxy's, and whether anything had been started", () => {
  const problem = problemOf(new DeadlineExceeded())!;
  expect(problemHeaders(problem, false)).toMatchObject({ "throughline-outcome": "deadline-exceeded;started=?0" });
  expect(problemHeaders(problem, true)).toMatchObject({ "throughline-outcome": "deadline-exceeded;started=?1" });
});
