import { Canceled, DeadlineExceeded } from "@throughline/context";
import { expect, it } from "vitest";

import { ServerDraining, ServerOverloaded, Unauthenticated } from "../wire/errors.ts";
import { isRepresentationHeader, problemOf, problemResponse } from "./problem.ts";

it("the document of a deadline has its budget, the elapsed time and its source, and nothing else", () => {
  const error = new DeadlineExceeded("secret message", {
    budget: 1480.4,
    elapsed: 1481.6,
    source: "maxTimeout",
    cause: new Error("secret"),
  });

  expect(problemOf(error)?.document).toEqual({
    type: "urn:throughline:problem:deadline-exceeded",
    title: "Deadline exceeded",
    status: 504,
    budgetMs: 1480,
    elapsedMs: 1482,
    setBy: "maxTimeout",
  });
});

it("finds an error that is the cause of another", () => {
  const error = new DeadlineExceeded();
  const wrapped = new Error("query failed", { cause: new Error("connection closed", { cause: error }) });

  expect(problemOf(wrapped)?.document.status).toBe(504);
});

it("accepts a circular chain of causes", () => {
  const [a, b] = [new Error("a"), new Error("b")];
  [a.cause, b.cause] = [b, a];
  expect(problemOf(a)).toBeUndefined();
});

it("finds an error in nested AggregateErrors", () => {
  const several = new AggregateError([new Error("a"), new AggregateError([new DeadlineExceeded()])], "all failed");
  expect(problemOf(new Error("failed", { cause: several }))?.document.status).toBe(504);
});

it("searches only the first of thousands of errors", () => {
  const errors = Array.from({ length: 100_000 }, () => new Error("a bug"));
  expect(problemOf(new AggregateError([...errors, new DeadlineExceeded()]))).toBeUndefined();
});

it("an unauthenticated request is answered 401 with the challenge", () => {
  const problem = problemOf(new Unauthenticated(undefined, { challenge: 'Bearer error="invalid_token"' }))!;
  expect(problem.document.status).toBe(401);
  expect(problem.headers).toEqual({ "www-authenticate": 'Bearer error="invalid_token"' });
});

it.each([new Error("a bug"), new Canceled(), "a string", undefined])("%s is not answered by this library", (error) => {
  expect(problemOf(error)).toBeUndefined();
});

const deadline = problemOf(new DeadlineExceeded())!;

it("representation headers are those that describe the body", () => {
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

it("the outcome header marks the answer as ours, and says whether a handler had begun", () => {
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
])("for a client that accepts %s the media type is %s", (accept, type) => {
  const { headers, body } = problemResponse(deadline, false, accept);
  expect(headers["content-type"]).toBe(type);
  expect(body).toBe(type.startsWith("text") ? "Deadline exceeded\n" : JSON.stringify(deadline.document));
});

it("Retry-After is 0 for a draining server, and random for an overloaded one", () => {
  expect(problemResponse(problemOf(new ServerDraining())!, false).headers["retry-after"]).toBe("0");
  const waits = new Set(
    Array.from(
      { length: 100 },
      () => problemResponse(problemOf(new ServerOverloaded())!, false).headers["retry-after"],
    ),
  );
  // Clients that were rejected together must not all retry together.
  expect([...waits].sort((a, b) => Number(a) - Number(b))).toEqual(["1", "2", "3"]);
  expect(problemResponse(deadline, false).headers["retry-after"]).toBeUndefined();
});
