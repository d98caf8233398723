import { describe, expect, it } from "vitest";

import { background, Canceled, ContextError, DeadlineExceeded, withCancel, withTimeout } from "./index.ts";

const [ctx, cancel] = withCancel(background);
cancel();
const canceled = ctx.err()!;
const exceeded = withTimeout(background, 0)[0].err()!;

describe("a context error", () => {
  it("has the name and code of the platform's AbortError", () => {
    expect([canceled.name, canceled.code]).toEqual(["AbortError", "ABORT_ERR"]);
    expect(String(canceled)).toBe("AbortError: context canceled");
  });

  it("has the name of the platform's TimeoutError (TestDeadlineExceededSupportsTimeout)", () => {
    expect([exceeded.name, exceeded.code]).toEqual(["TimeoutError", "DEADLINE_EXCEEDED"]);
    expect(exceeded).toMatchObject({ timeout: true });
  });

  it("is an Error of one of two classes", () => {
    expect([
      canceled instanceof Error,
      canceled instanceof ContextError,
      canceled instanceof Canceled,
      canceled instanceof DeadlineExceeded,
    ]).toEqual([true, true, true, false]);
    expect([
      exceeded instanceof ContextError,
      exceeded instanceof Canceled,
      exceeded instanceof DeadlineExceeded,
    ]).toEqual([true, false, true]);
    expect(new Error("no") instanceof ContextError).toBe(false);
  });

  it("works with instanceof in subclasses", () => {
    class Mine extends Canceled {}
    expect([new Mine() instanceof Mine, new Mine() instanceof Canceled, canceled instanceof Mine]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("has no stack frames, and does not affect other errors", () => {
    expect(canceled.stack).not.toContain("\n    at ");
    expect(new Error("other").stack).toContain("errors.test.ts");
  });
});
