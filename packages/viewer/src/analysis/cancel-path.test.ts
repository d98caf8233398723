import { describe, expect, it } from "vitest";

import { spanTree } from "../span-tree.ts";
import { cancelPath } from "./cancel-path.ts";
import { trace } from "./trace.fixture.ts";

const pathOf = (...given: Parameters<typeof trace>) =>
  cancelPath(spanTree(trace(...given))).map(({ span, from, lag }) => [
    span.name,
    from?.name,
    Math.round(lag * 10) / 10,
  ]);

describe("the path of a cancellation", () => {
  it("leads from the client's disconnect down through the hops, in order of time", () => {
    const path = pathOf({
      a: [[0, 80], { by: "client" }],
      "a/b": [[1, 81], { by: "cancel", kind: "client" }],
      "a/b/c": [[2, 83.5], { by: "client" }],
      "a/d": [[1, 82], { by: "cancel", kind: "client" }],
    });
    expect(path).toEqual([
      ["a", undefined, 0],
      ["b", "a", 1],
      ["d", "a", 2],
      ["c", "b", 2.5],
    ]);
  });

  it("skips spans without an outcome and spans that had been answered", () => {
    const path = pathOf({
      a: [[0, 80], { by: "client" }],
      "a/b": [[1, 81]],
      "a/b/c": [[2, 83], { by: "cancel" }],
      "a/d": [[1, 40], { by: "response", status: 200 }],
    });
    expect(path).toEqual([
      ["a", undefined, 0],
      ["c", "a", 3],
    ]);
  });

  it("leads up from the span whose deadline fired first", () => {
    const path = pathOf({
      a: [[0, 304], { by: "deadline" }],
      "a/b": [[1, 300], { by: "deadline", kind: "client" }],
      "a/b/c": [[2, 301], { by: "client" }],
    });
    expect(path).toEqual([
      ["b", undefined, 0],
      ["c", "b", 1],
      ["a", "b", 4],
    ]);
  });

  it("allows for clock skew between machines", () => {
    const path = pathOf({ a: [[0, 80], { by: "client" }], "a/b": [[1, 79.5], { by: "client" }] });
    expect(path).toEqual([
      ["b", "a", 0],
      ["a", undefined, 0],
    ]);
  });

  it("leads up from a span whose own deadline fired, even within the clock skew", () => {
    const path = pathOf({ a: [[0, 300.4], { by: "deadline" }], "a/b": [[1, 300], { by: "deadline", kind: "client" }] });
    expect(path).toEqual([
      ["b", undefined, 0],
      ["a", "b", 0.4],
    ]);
  });

  it("does not connect siblings that stopped independently", () => {
    const path = pathOf({ a: [[0, 99]], "a/b": [[1, 50], { by: "deadline" }], "a/c": [[1, 70], { by: "deadline" }] });
    expect(path).toEqual([
      ["b", undefined, 0],
      ["c", undefined, 0],
    ]);
  });

  it("is empty if all spans were answered", () => {
    expect(pathOf({ a: [[0, 9], { by: "response" }] })).toEqual([]);
  });
});
