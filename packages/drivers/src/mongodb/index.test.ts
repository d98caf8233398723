import { background, createKey, withCancel, withTimeout, withValue } from "@throughline/context";
import { MongoClient } from "mongodb";
import { describe, expect, it } from "vitest";

import { operationOptions } from "./index.ts";

describe("operationOptions", () => {
  it("gives the server the time that remains, in whole milliseconds", () => {
    const [ctx, cancel] = withTimeout(background, "2s");
    const { maxTimeMS, signal } = operationOptions(ctx);

    expect(maxTimeMS).toBeGreaterThan(1900);
    expect(maxTimeMS).toBeLessThanOrEqual(2000);
    expect(Number.isInteger(maxTimeMS)).toBe(true);
    expect(signal).toBe(ctx.signal);
    cancel();
  });

  it("gives the server at least 1 ms, as 0 is no limit for it", () => {
    const [ctx, cancel] = withTimeout(background, 0.9);
    try {
      expect(operationOptions(ctx).maxTimeMS).toBe(1);
    } catch (error) {
      expect(error).toBe(ctx.err());
    }
    cancel();
  });

  it("sets no limit without a deadline", () => {
    const [ctx, cancel] = withCancel(background);
    expect(operationOptions(ctx)).toEqual({ signal: ctx.signal });
    cancel();
  });

  it("is empty under a context that cannot end", () => {
    expect(operationOptions(withValue(background, createKey("key"), 1))).toEqual({});
  });

  it("throws ctx.err() for a context that has ended", () => {
    const [ctx, cancel] = withCancel(background);
    cancel();
    expect(() => operationOptions(ctx)).toThrow(ctx.err()!);
  });

  it("refuses a client that sets timeoutMS", () => {
    const client = { options: { timeoutMS: 1000 } };
    expect(() => operationOptions(background, client)).toThrow(
      new TypeError(
        "Cannot derive the options of an operation: 'timeoutMS' of the client must not be set; received number 1000: " +
          "it does nothing in mongodb 7.8 and later, and can desynchronize the pool in earlier versions",
      ),
    );
  });

  it("accepts a client without timeoutMS, and the types of its operations", () => {
    const client = new MongoClient("mongodb://127.0.0.1:1");
    const [ctx, cancel] = withCancel(background);
    const cursor = client.db("shop").collection("orders").find({}, operationOptions(ctx, client));
    expect(cursor.closed).toBe(false);
    cancel();
  });

  it("refuses what is not a client", () => {
    expect(() => operationOptions(background, "mongodb://127.0.0.1" as never)).toThrow(
      "'client' must be a MongoClient; received string",
    );
  });
});
