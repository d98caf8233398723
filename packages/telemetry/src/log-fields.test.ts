import { Writable } from "node:stream";

import { trace } from "@opentelemetry/api";
import { background, type Context, createKey, run, withTimeout, withValue } from "@throughline/context";
import pino from "pino";
import { describe, expect, it } from "vitest";
import winston from "winston";

import { logFields, logFormat, type LogFieldsOptions } from "./log-fields.ts";

const tenantKey = createKey<string>("tenant");
const secretKey = createKey<string>("secret");
const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

const ctx = [
  (below: Context) => trace.setSpanContext(below, spanContext) as Context,
  (below: Context) => withTimeout(below, "1h")[0],
  (below: Context) => withValue(below, tenantKey, "acme"),
  (below: Context) => withValue(below, secretKey, "hush"),
].reduce((below, derive) => derive(below), background as Context);

/** Returns the entries that a logger writes. */
type Written = (options: LogFieldsOptions, log: (info: (entry: object, message: string) => void) => void) => object[];

function lines(): { stream: Writable; read(): object[] } {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return {
    stream,
    read: () =>
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
  };
}

const withPino: Written = (options, log) => {
  const { stream, read } = lines();
  const logger = pino({ base: null, timestamp: false, mixin: logFields(options) }, stream);
  log((entry, message) => logger.info(entry, message));
  return read();
};

const withWinston: Written = (options, log) => {
  const { stream, read } = lines();
  const { combine, json } = winston.format;
  const logger = winston.createLogger({
    format: combine(logFormat(options) as winston.Logform.Format, json()),
    transports: [new winston.transports.Stream({ stream })],
  });
  log((entry, message) => logger.info(message, entry));
  return read();
};

describe.each([
  ["pino", withPino],
  ["winston", withWinston],
])("an entry of %s", (_name, written) => {
  it("contains the trace, the remaining time and the listed values", () => {
    const [entry] = written(
      { values: { tenant: tenantKey, user: () => undefined, length: (of) => of.value(secretKey)?.length } },
      (info) => run(ctx, () => info({ item: 7 }, "found")),
    );
    expect(entry).toMatchObject({
      item: 7,
      trace_id: spanContext.traceId,
      span_id: spanContext.spanId,
      trace_flags: "01",
      deadline_remaining_ms: expect.any(Number),
      tenant: "acme",
      length: 4,
    });
    expect((entry as { deadline_remaining_ms: number }).deadline_remaining_ms).toBeGreaterThan(3_590_000);
    expect(JSON.stringify(entry)).not.toMatch(/hush|user/);
  });

  it("contains none of these fields outside of a request", () => {
    const [entry] = written({ values: { tenant: tenantKey } }, (info) => info({}, "started"));
    expect(Object.keys(entry!).toSorted()).toEqual(["level", expect.stringMatching(/^(msg|message)$/)]);
  });

  it("keeps fields that it has already", () => {
    const [entry] = written({ values: { tenant: tenantKey } }, (info) => run(ctx, () => info({ tenant: "own" }, "x")));
    expect(entry).toMatchObject({ tenant: "own" });
  });
});

it.each([
  [{ values: { tenant: "tenant" } }, /'values.tenant' must be a function; received string "tenant"/],
  [{ fields: {} }, /there is no option 'fields'/],
])("rejects %j", (options, message) => {
  expect(() => logFields(options as never)).toThrow(message);
});
