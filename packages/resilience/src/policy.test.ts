import { background, current, withCancel, withTimeout } from "@throughline/context";
import {
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  ConsecutiveBreaker,
  handleAll,
  timeout,
  TimeoutStrategy,
  wrap,
} from "cockatiel";
import { describe, expect, it } from "vitest";

import { withPolicy } from "./policy.ts";
import { sleep } from "./sleep.ts";

describe("withPolicy", () => {
  it("runs in a derived context, which is the current one", async () => {
    const [ctx] = withTimeout(background, "1s");
    const seen = await withPolicy(ctx, bulkhead(1), async (each) => [current() === each, each.remaining() <= 1000]);
    expect(seen).toEqual([true, true]);
  });

  it("opens a circuit breaker after errors, and rejects with its error", async () => {
    const policy = wrap(
      circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker: new ConsecutiveBreaker(2) }),
      bulkhead(5),
    );
    const failing = (): Promise<unknown> => withPolicy(background, policy, () => Promise.reject(new Error("down")));
    await expect(failing()).rejects.toThrow("down");
    await expect(failing()).rejects.toThrow("down");
    await expect(failing()).rejects.toThrow(/breaker is open/);
  });

  it("rejects with the context's error when it ends, for any policy", async () => {
    const [ctx, cancel] = withCancel(background);
    const call = withPolicy(ctx, timeout(10_000, TimeoutStrategy.Aggressive), (each) => sleep(each, "1h"));
    cancel(new Error("the caller left"));
    await expect(call).rejects.toBe(ctx.err());
  });

  it("ends the derived context at a timeout of the policy", async () => {
    let seen: unknown;
    const call = withPolicy(background, timeout(20, TimeoutStrategy.Aggressive), async (each) => {
      await sleep(each, "1h").catch(() => (seen = each.err()?.name));
    });
    await expect(call).rejects.toThrow(/timed out/);
    await new Promise(setImmediate);
    expect(seen).toBe("AbortError");
  });

  it("is rejected by a full bulkhead", async () => {
    const policy = bulkhead(1);
    const [ctx, cancel] = withCancel(background);
    const first = withPolicy(ctx, policy, (each) => sleep(each, "1h"));
    await expect(withPolicy(background, policy, () => 1)).rejects.toBeInstanceOf(BulkheadRejectedError);
    cancel();
    await expect(first).rejects.toBe(ctx.err());
  });

  it("rejects an invalid policy", async () => {
    await expect(withPolicy(background, {} as never, () => 1)).rejects.toThrow(
      /'policy' must be a policy of cockatiel/,
    );
  });
});
