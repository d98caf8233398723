import assert from "node:assert/strict";

import { type SpanContext, trace } from "@opentelemetry/api";
import { background } from "@throughline/context";
import { DIGITS, isMadeOf, LOWER, LOWER_HEX, span, textOf } from "@throughline/test/fuzz/alphabet.ts";
import { type AnySubject, textSubject } from "@throughline/test/fuzz/subject.ts";
import fc from "fast-check";

import { NodeHeaders } from "../wire/headers.ts";
import { extractTrace, injectTrace } from "./trace-context.ts";

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
  // Only two flags are defined.
  return { traceId, spanId, traceFlags: LOWER_HEX.indexOf(flags[1]!) % 4 };
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

const KEY = `${LOWER}${DIGITS}_-*/@`;
const VALUE = span(0x20, 0x7e).replaceAll(/[,=]/g, "");

/** W3C Trace Context, level 2, 3.3.1.3. */
const member = fc
  .tuple(
    textOf(LOWER + DIGITS, 1, 1),
    textOf(KEY, 0, 20),
    textOf(VALUE, 0, 20),
    textOf(span(0x21, 0x7e).replaceAll(/[,=]/g, ""), 1, 1),
  )
  .map(([first, key, value, last]) => [first + key, value + last] as const);

const members = fc.array(member, { minLength: 1, maxLength: 8 });

function isMember(text: string): boolean {
  const [key, value, ...more] = text.split("=");
  const isKey = (LOWER + DIGITS).includes(key![0] ?? " ") && isMadeOf(key!, KEY) && key!.length <= 256;
  const isWritten = isMadeOf(value ?? ",", VALUE) && !value!.endsWith(" ");
  return isKey && isWritten && value !== "" && value!.length <= 256 && more.length === 0;
}

/** The list that must be passed on: the complete list or nothing. */
function passedOn(list: string): string {
  const named = list
    .split(",")
    .map(withoutBlanks)
    .filter((each) => each !== "");
  const holds = list.length <= 8192 && named.length <= 32 && named.every(isMember);
  return holds ? named.join(",") : "";
}

/** Trims blanks and tabs, and no other white space. */
function withoutBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && " \t".includes(text[from]!)) from += 1;
  while (to > from && " \t".includes(text[to - 1]!)) to -= 1;
  return text.slice(from, to);
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
    assert.equal(passed!.replace(/-[0-9a-f]{16}-/, "-*-"), PARENT.replace(/-[0-9a-f]{16}-/, "-*-"));
    assert.notEqual(passed, PARENT, "The parent id is still the caller's");
    assert.equal(tracestate, passedOn(value));
    return tracestate !== "";
  },
});

export const subjects: readonly AnySubject[] = [parent, state];
