import { expect, it } from "vitest";

import { RouteTimes } from "./route-times.ts";

function record(times: RouteTimes, route: string, durations: readonly number[], method = "GET"): void {
  for (const ms of durations) times.add(method, route, ms);
}

const TWENTY = Array.from({ length: 20 }, (_, index) => index + 1);

it("returns the median of the route that a path matches", () => {
  const times = new RouteTimes();
  record(times, "/items/:id", TWENTY);

  expect(times.median("GET", "/items/7?q=1")).toBe(11);
  expect(times.median("GET", "/items/7/")).toBe(11);
});

it("returns undefined for a route that was not recorded, or not often enough", () => {
  const times = new RouteTimes();
  record(times, "/items/:id", TWENTY);
  record(times, "/few", [1, 2, 3]);

  expect(times.median("POST", "/items/7")).toBeUndefined();
  expect(times.median("GET", "/items")).toBeUndefined();
  expect(times.median("GET", "/items/7/more")).toBeUndefined();
  expect(times.median("GET", "/few")).toBeUndefined();
});

it("forgets old times", () => {
  const times = new RouteTimes();
  record(
    times,
    "/a",
    Array.from({ length: 128 }, () => 1000),
  );
  record(
    times,
    "/a",
    Array.from({ length: 128 }, () => 5),
  );

  expect(times.median("GET", "/a")).toBe(5);
});

it("prefers a literal segment to a parameter", () => {
  const times = new RouteTimes();
  record(times, "/items/:id", TWENTY);
  record(
    times,
    "/items/new",
    TWENTY.map(() => 500),
  );

  expect(times.median("GET", "/items/new")).toBe(500);
  expect(times.median("GET", "/items/old")).toBe(11);
});

it("records a limited number of routes", () => {
  const times = new RouteTimes();
  for (let index = 0; index < 5000; index++) record(times, `/path-${index}`, TWENTY);
  record(times, "/a".repeat(100), TWENTY);

  expect(times.median("GET", "/path-0")).toBe(11);
  expect(times.median("GET", "/path-4999")).toBeUndefined();
  expect(times.median("GET", "/a".repeat(100))).toBeUndefined();
});
