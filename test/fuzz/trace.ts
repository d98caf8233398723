import assert from "node:assert/strict";

import { type SpanContext, trace } from "@opentelemetry/api";
import { background } from "@throughline/context";
import fc from "fast-check";

import { NodeHeaders } from "../../packages/http/src/headers.ts";
import { extractTrace, injectTrace } from "../../packages/http/src/telemetry/trace-context.ts";
import { DIGITS, isMadeOf, LOWER, LOWER_HEX, span, textOf } from "./alphabet.ts";
import { type AnySubject, textSubject } from "./subject.ts";

const traceparent = fc
  .tuple(
    fc.oneof({ arbitrary: fc.constant("00"), weight: 4 }, textOf(LOWER_HEX, 2, 2)),
    textOf(LOWER_HEX, 32, 32),
    textOf(LOWER_HEX, 16, 16),
    textOf(LOWER_HEX, 2, 2),
    fc.string(),
  )
  .map(([version, traceId, spanId, flags, more]) => {
    const rest = version === "00" || more === "" ? "" : `-${more}`;
    return `${version}-${traceId}-${spanId}-${flags}${rest}`;
  });

/** W3C Trace Context, 3.2.2 and 4.3. */
function readTraceparent(value: string): Pick<SpanContext, "traceId" | "spanId" | "traceFlags"> | undefined {
  const [version, traceId, spanId, flags] = [
    value.slice(0, 2),
    value.slice(3, 35),
    value.slice(36, 52),
    value.slice(53, 55),
  ];
  if (value.length < 55 || [2, 35, 52].some((at) => value[at] !== "-")) return undefined;
  if (![version, traceId, spanId, flags].every((field) => isMadeOf(field, LOWER_HEX))) return undefined;
  if (version === "ff" || isMadeOf(traceId, "0") || isMadeOf(spanId, "0")) return undefined;
  if (value.length > 55 && (version === "00" || value[55] !== "-")) return undefined;
  // Of the flags, this one is all that is known in every version.
  return { traceId, spanId, traceFlags: LOWER_HEX.indexOf(flags[1]!) % 2 };
}

const parent = textSubject({
  name: "traceparent",
  share: 2,
  valid: traceparent,
  parse: (value) => trace.getSpanContext(extractTrace(background, new NodeHeaders({ traceparent: value }))),
  judge(value, read) {
    const own = readTraceparent(value);
    assert.deepEqual(read, own && { ...own, isRemote: true });
    return read !== undefined;
  },
});

const KEY = `${LOWER}${DIGITS}_-*/`;
const VALUE = span(0x20, 0x7e).replaceAll(/[,=]/g, "");

/** W3C Trace Context, 3.3.2. */
const member = fc
  .tuple(
    fc.oneof(
      fc.tuple(textOf(LOWER, 1, 1), textOf(KEY, 0, 20)),
      fc.tuple(textOf(LOWER + DIGITS, 1, 1), textOf(KEY, 0, 20), fc.constant("@"), textOf(LOWER, 1, 1)),
    ),
    textOf(VALUE, 0, 20),
    textOf(span(0x21, 0x7e).replaceAll(/[,=]/g, ""), 1, 1),
  )
  .map(([key, value, last]) => [key.join(""), value + last] as const);

const members = fc.uniqueArray(member, { selector: ([key]) => key, minLength: 1, maxLength: 8 });

function isMember(text: string): boolean {
  const [key, value, ...more] = text.split("=");
  const [tenant, system, ...others] = key!.split("@");
  const isKey =
    system === undefined
      ? LOWER.includes(tenant![0] ?? " ") && tenant!.length <= 256
      : (LOWER + DIGITS).includes(tenant![0] ?? " ") &&
        LOWER.includes(system[0] ?? " ") &&
        tenant!.length <= 241 &&
        system.length <= 14;
  const isWritten = isMadeOf(tenant! + (system ?? ""), KEY) && isMadeOf(value ?? ",", VALUE) && !value!.endsWith(" ");
  return isKey && isWritten && value !== "" && value!.length <= 256 && more.length === 0 && others.length === 0;
}

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const state = textSubject({
  name: "tracestate, passed on",
  valid: members.map((all) => all.map(([key, value]) => `${key}=${value}`).join(",")),
  parse(value) {
    const sent: Record<string, string> = {};
    const ctx = extractTrace(background, new NodeHeaders({ traceparent: PARENT, tracestate: value }));
    injectTrace(ctx, sent, { set: (carrier, name, each) => void (carrier[name] = each) });
    return sent;
  },
  judge(value, { traceparent: passed, tracestate = "" }) {
    assert.equal(passed, PARENT);
    const all = tracestate === "" ? [] : tracestate.split(",");
    assert.ok(all.length <= 32 && tracestate.length <= 512);
    for (const each of all) assert.ok(isMember(each) && value.includes(each), `'${each}' is no member that has come`);
    const come = value.split(",");
    const isInOrder = value.length <= 512 && come.every(isMember) && new Set(come.map(keyOf)).size === come.length;
    if (isInOrder && come.length <= 32) assert.equal(tracestate, value);
    return all.length > 0;
  },
});

function keyOf(text: string): string {
  return text.slice(0, text.indexOf("="));
}

export const traces: readonly AnySubject[] = [parent, state];
