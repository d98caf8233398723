import { Canceled, DeadlineExceeded } from "@throughline/context";
import { expect, it } from "vitest";

import { Unauthenticated } from "../wire/errors.ts";
import { problemOf } from "./problem.ts";

it("a deadline tells its budget, what had passed, and who set it, and nothing else", () => {
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

it("the error may be the cause of another", () => {
  const deadline = new DeadlineExceeded();
  const wrapped = new Error("query failed", { cause: new Error("connection closed", { cause: deadline }) });

  expect(problemOf(wrapped)?.document.status).toBe(504);
});

it("a chain of causes may go round in a circle", () => {
  const [a, b] = [new Error("a"), new Error("b")];
  [a.cause, b.cause] = [b, a];
  expect(problemOf(a)).toBeUndefined();
});

it("the error may be one of several, be they in another", () => {
  const several = new AggregateError([new Error("a"), new AggregateError([new DeadlineExceeded()])], "all failed");
  expect(problemOf(new Error("failed", { cause: several }))?.document.status).toBe(504);
});

it("of thousands of errors only the first are looked at", () => {
  const errors = Array.from({ length: 100_000 }, () => new Error("a bug"));
  expect(problemOf(new AggregateError([...errors, new DeadlineExceeded()]))).toBeUndefined();
});

it("a request of nobody known is told how to say who it is", () => {
  const problem = problemOf(new Unauthenticated(undefined, { challenge: 'Bearer error="invalid_token"' }))!;
  expect(problem.document.status).toBe(401);
  expect(problem.headers).toEqual({ "www-authenticate": 'Bearer error="invalid_token"' });
});

it.each([new Error("a bug"), new Canceled(), "a string", undefined])("%s is the application's own", (error) => {
  expect(problemOf(error)).toBeUndefined();
});
