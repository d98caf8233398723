import { expect, it } from "vitest";

import { RouteTimes } from "./route-times.ts";

function learn(times: RouteTimes, route: string, durations: readonly number[], method = "GET"): void {
  for (const ms of durations) times.add(method, route, ms);
}

const TWENTY = Array.from({ length: 20 }, (_, index) => index + 1);

it("tells the median of a route by the path of a request to it", () => {
  const times = new RouteTimes();
  learn(times, "/items/:id", TWENTY);

  expect(times.median("GET", "/items/7?q=1")).toBe(11);
  expect(times.median("GET", "/items/7/")).toBe(11);
});

it("says nothing of what it has not seen, or not often enough", () => {
  const times = new RouteTimes();
  learn(times, "/items/:id", TWENTY);
  learn(times, "/few", [1, 2, 3]);

  expect(times.median("POST", "/items/7")).toBeUndefined();
  expect(times.median("GET", "/items")).toBeUndefined();
  expect(times.median("GET", "/items/7/more")).toBeUndefined();
  expect(times.median("GET", "/few")).toBeUndefined();
});

it("forgets what was long ago", () => {
  const times = new RouteTimes();
  learn(
    times,
    "/a",
    Array.from({ length: 128 }, () => 1000),
  );
  learn(
    times,
    "/a",
    Array.from({ length: 128 }, () => 5),
  );

  expect(times.median("GET", "/a")).toBe(5);
});

it("tells a route that is written out from one with a parameter in its place", () => {
  const times = new RouteTimes();
  learn(times, "/items/:id", TWENTY);
  learn(
    times,
    "/items/new",
    TWENTY.map(() => 500),
  );

  expect(times.median("GET", "/items/new")).toBe(500);
  expect(times.median("GET", "/items/old")).toBe(11);
});

it("keeps apart a bounded number of routes, as paths may be without number", () => {
  const times = new RouteTimes();
  for (let index = 0; index < 5000; index++) learn(times, `/path-${index}`, TWENTY);
  learn(times, "/a".repeat(100), TWENTY);

  expect(times.median("GET", "/path-0")).toBe(11);
  expect(times.median("GET", "/path-4999")).toBeUndefined();
  expect(times.median("GET", "/a".repeat(100))).toBeUndefined();
});
