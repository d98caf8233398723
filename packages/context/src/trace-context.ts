import { getRandomValues } from "node:crypto";

import {
  type Context as OtelContext,
  createContextKey,
  createTraceState,
  isSpanContextValid,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  TraceFlags,
  trace,
  type TraceState,
} from "@opentelemetry/api";

import type { Context } from "./context.ts";
import { current } from "./current.ts";
import type { Key } from "./key.ts";

// W3C Trace Context, level 2: https://www.w3.org/TR/trace-context-2/

/** Bit of the flags: the trace id is random, at least its last seven bytes (3.2.2.5.2). */
const RANDOM = 2;

/** What a request without a trace of its own is given, by whoever serves it, when it is first asked for. */
export interface TraceOwner {
  /** 32 hexadecimal digits; the same each time. */
  readonly ownTraceId: string;
}

/** Where a context has the request that it belongs to; the same for all installed copies of this package. */
export const traceOwnerKey: Key<TraceOwner> = Symbol.for("@throughline/context/trace-owner.1") as Key<TraceOwner>;

/**
 * The id of the trace that a request belongs to, 32 hexadecimal digits, for logs and answers: with an SDK that of the active span, without one that of the caller's
 * `traceparent`, else one that is made when it is first asked for. `undefined` outside of any request.
 */
export function traceId(ctx: Context = current()): string | undefined {
  const known = trace.getSpanContext(ctx);
  return known !== undefined && isSpanContextValid(known) ? known.traceId : ctx.value(traceOwnerKey)?.ownTraceId;
}

/** A new trace id. */
export function newTraceId(): string {
  return randomHex(16);
}

/** A new span id, which is the parent id of a `traceparent`. */
function newSpanId(): string {
  return randomHex(8);
}

/** Random bytes are made many at a time, as each time costs as much as hundreds of them. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    getRandomValues(pool);
    used = 0;
  }
  const id = pool.toString("hex", used, used + bytes);
  used += bytes;
  // All zeros are no id.
  return /[1-9a-f]/.test(id) ? id : randomHex(bytes);
}

/** A carrier's headers, of which one may have been sent more than once: then as several values, or joined with commas. */
type Values = string | readonly string[] | undefined;

/**
 * The trace that `traceparent` and `tracestate` name; `undefined` if there is none, or it is malformed: then a new one begins. A malformed `tracestate` is
 * dropped whole (3.3.1.1 to 3.3.1.3).
 */
export function readTrace(traceparent: Values, tracestate: Values): SpanContext | undefined {
  const value = typeof traceparent === "string" ? traceparent : traceparent?.length === 1 ? traceparent[0] : undefined;
  const caller = value === undefined ? undefined : parseTraceparent(value);
  if (caller === undefined || tracestate === undefined) return caller;
  const list = typeof tracestate === "string" ? tracestate : tracestate.join(",");
  return isTracestate(list) ? { ...caller, traceState: new ReceivedTraceState(list) } : caller;
}

/** Length in version 00, which has no more; a later version may have more, after a dash. */
const LENGTH = 55;

const DASH = "-".charCodeAt(0);

/** The value of a lower-case hexadecimal digit, by its character; of what is none 255, as -1 is in a byte. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, code) => "0123456789abcdef".indexOf(String.fromCharCode(code)));

/** Room for one character after the fields, which takes up to four bytes in UTF-8. */
const characters = Buffer.alloc(LENGTH + 4);

/**
 * Version, trace, span and flags. Not by a regular expression, and not from the string itself, which take several times as long: every request
 * brings one. In UTF-8, which is as fast as latin1: that would drop the high byte of a character, and read U+0661 as `a`.
 */
function parseTraceparent(value: string): SpanContext | undefined {
  if (value.length < LENGTH) return undefined;
  characters.write(value, "utf8");
  if (characters[2] !== DASH || characters[35] !== DASH || characters[52] !== DASH) return undefined;
  const version = bitsOf(0, 2);
  const trace = bitsOf(3, 35);
  const span = bitsOf(36, 52);
  if ((version | trace | span | bitsOf(53, LENGTH)) >= 16 || trace === 0 || span === 0) return undefined;
  if (value.startsWith("ff") || (value.length > LENGTH && (version === 0 || characters[LENGTH] !== DASH)))
    return undefined;
  return {
    traceId: value.slice(3, 35),
    spanId: value.slice(36, 52),
    // Flags that are not known are not passed on.
    traceFlags: DIGITS[characters[LENGTH - 1]!]! & (TraceFlags.SAMPLED | RANDOM),
    isRemote: true,
  };
}

/** All bits that are set in any of the digits from one place to before another: 0 where all are zeros, 16 or more where one is no digit. */
function bitsOf(from: number, to: number): number {
  let bits = 0;
  for (let index = from; index < to; index++) bits |= DIGITS[characters[index]!]!;
  return bits;
}

/** The most that must be passed on is 512 characters (3.3.1.5); more than this is not worth a header. */
const MOST_CHARACTERS = 8192;
const MOST_MEMBERS = 32;
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Whether a list follows the grammar, of which members may be empty; keys that are there twice are left to their vendors. */
function isTracestate(list: string): boolean {
  if (list.length > MOST_CHARACTERS) return false;
  const members = list.split(",").map(withoutSpace);
  const named = members.filter((member) => member !== "");
  return named.length > 0 && named.length <= MOST_MEMBERS && named.every((member) => MEMBER.test(member));
}

/** Without blanks and tabs around it. By hand, as a pattern for that takes time that grows with the square of their number. */
export function withoutSpace(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && (text[from] === " " || text[from] === "\t")) from += 1;
  while (to > from && (text[to - 1] === " " || text[to - 1] === "\t")) to -= 1;
  return text.slice(from, to);
}

/** The list as it came: OpenTelemetry's own drops members, and all of a list that is longer than 512 characters. It takes over where one changes. */
class ReceivedTraceState implements TraceState {
  readonly #list: string;

  constructor(list: string) {
    this.#list = list
      .split(",")
      .map(withoutSpace)
      .filter((member) => member !== "")
      .join(",");
  }

  get(key: string): string | undefined {
    const member = this.#list.split(",").find((each) => each.startsWith(`${key}=`));
    return member?.slice(key.length + 1);
  }

  set(key: string, value: string): TraceState {
    return createTraceState(this.#list).set(key, value);
  }

  unset(key: string): TraceState {
    return createTraceState(this.#list).unset(key);
  }

  serialize(): string {
    return this.#list;
  }
}

const CALLER = createContextKey("throughline.caller");

/**
 * The context with a span context that a request from here may name as its parent: that of the active span of this service, or, where nobody traces, one with
 * a new id in the trace of the request. The context itself outside of any trace.
 */
export function withOwnSpan<C extends OtelContext>(ctx: C): C {
  const known = trace.getSpanContext(ctx);
  const isKnown = known !== undefined && isSpanContextValid(known);
  if (isKnown && known.isRemote !== true) return ctx;
  const begun = isKnown ? known : beginTrace(ctx);
  if (begun === undefined) return ctx;
  const own = { ...begun, spanId: newSpanId(), isRemote: false };
  return trace.setSpanContext(ctx.setValue(CALLER, own), own) as C;
}

function beginTrace(ctx: OtelContext): Pick<SpanContext, "traceId" | "traceFlags"> | undefined {
  const owner = ctx.getValue(traceOwnerKey) as TraceOwner | undefined;
  return owner === undefined ? undefined : { traceId: owner.ownTraceId, traceFlags: RANDOM };
}

/** The headers of the trace that a context belongs to, for one request from here: each as a name and a value; none outside of any trace. */
export function traceHeaders(ctx: OtelContext): [name: string, value: string][] {
  const within = withOwnSpan(ctx);
  const own = trace.getSpanContext(within);
  if (own === undefined || !isSpanContextValid(own)) return [];
  const headers: [string, string][] = [["traceparent", formatTraceparent(own, randomFlag(within, own))]];
  const state = own.traceState?.serialize();
  if (state) headers.push(["tracestate", state]);
  return headers;
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext, random: number): string {
  return `00-${traceId}-${spanId}-0${(traceFlags & TraceFlags.SAMPLED) | random}`;
}

/** Spans of an SDK have only the flag that says whether they are sampled; the other is that of the service in which the trace has begun. */
function randomFlag(ctx: OtelContext, { traceId }: SpanContext): number {
  const caller = ctx.getValue(CALLER) as SpanContext | undefined;
  return caller?.traceId === traceId ? caller.traceFlags & RANDOM : RANDOM;
}

/** The context with the caller's trace, or without any if the caller has none that holds. */
export function withTrace<C extends OtelContext>(ctx: C, caller: SpanContext | undefined): C {
  // Derived by `setValue`, a Context stays one.
  if (caller !== undefined) return trace.setSpanContext(ctx.setValue(CALLER, caller), caller) as C;
  return trace.getSpanContext(ctx) === undefined ? ctx : (trace.deleteSpan(ctx) as C);
}

/**
 * A propagator of OpenTelemetry's for W3C Trace Context that holds to the letter of level 2: OpenTelemetry's own takes part of a malformed `tracestate`, and
 * does not pass the random flag on. For an SDK that is set up by hand; `startTelemetry` uses it.
 */
export class TraceContextPropagator implements TextMapPropagator {
  inject(ctx: OtelContext, carrier: unknown, setter: TextMapSetter): void {
    for (const [name, value] of traceHeaders(ctx)) setter.set(carrier, name, value);
  }

  extract(ctx: OtelContext, carrier: unknown, getter: TextMapGetter): OtelContext {
    return withTrace(ctx, readTrace(getter.get(carrier, "traceparent"), getter.get(carrier, "tracestate")));
  }

  fields(): string[] {
    return ["traceparent", "tracestate"];
  }
}
