import { describe, expect, it } from "vitest";

import { background, Canceled, ContextError, DeadlineExceeded, withCancel, withTimeout } from "./index.ts";

const [ctx, cancel] = withCancel(background);
cancel();
const canceled = ctx.err()!;
const exceeded = withTimeout(background, 0)[0].err()!;

describe("an error of a context", () => {
  it("has the name and code that the platform gives to an abort", () => {
    expect([canceled.name, canceled.code]).toEqual(["AbortError", "ABORT_ERR"]);
    expect(String(canceled)).toBe("AbortError: context canceled");
  });

  it("has the name that the platform gives to a timeout (TestDeadlineExceededSupportsTimeout)", () => {
    expect([exceeded.name, exceeded.code]).toEqual(["TimeoutError", "DEADLINE_EXCEEDED"]);
    expect(exceeded).toMatchObject({ timeout: true });
  });

  it("is an Error, and one of two kinds", () => {
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

  it("may be extended by its users, with instanceof as ever", () => {
    class Mine extends Canceled {}
    expect([new Mine() instanceof Mine, new Mine() instanceof Canceled, canceled instanceof Mine]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("has no stack, and leaves other errors theirs", () => {
    expect(canceled.stack).not.toContain("\n    at ");
    expect(new Error("other").stack).toContain("errors.test.ts");
  });
});
