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
import { nodeModule } from "./node-module.ts";

// W3C Trace Context, level 2: https://www.w3.org/TR/trace-context-2/

/** The flag of a random trace id: at least its last seven bytes are random (3.2.2.5.2). */
const RANDOM = 2;

/** A request, which has a trace id of its own if the caller sent none. The id is generated at the first use. */
export interface TraceOwner {
  /** 32 hexadecimal digits. It stays the same. */
  readonly ownTraceId: string;
}

/** The key of the request that a context belongs to. All installed copies of this package share it. */
export const traceOwnerKey: Key<TraceOwner> = Symbol.for("@throughline/context/trace-owner.1") as Key<TraceOwner>;

/**
 * Returns the trace id of the request, 32 hexadecimal digits, for logs and responses. With an SDK it is the active
 * span's; without one it is that of the caller's `traceparent`, or a new one that is generated at the first use.
 * `undefined` outside any request.
 */
export function traceId(ctx: Context = current()): string | undefined {
  const known = trace.getSpanContext(ctx);
  return known !== undefined && isSpanContextValid(known) ? known.traceId : ctx.value(traceOwnerKey)?.ownTraceId;
}

/** Generates a trace id. */
export function newTraceId(): string {
  return randomHex(16);
}

/** Generates a span id, which is the parent id of a `traceparent`. */
function newSpanId(): string {
  return randomHex(8);
}

const generator = nodeModule("node:crypto")?.webcrypto ?? globalThis.crypto;

/** Node's Buffer, which is read and written faster than other bytes; `undefined` in runtimes without it. */
const NodeBuffer = nodeModule("node:buffer")?.Buffer;

/** Random bytes, generated in bulk: one call of the generator takes as long as hundreds of bytes. */
const pool = NodeBuffer?.alloc(4096) ?? new Uint8Array(4096);
let poolOffset = pool.length;

function randomHex(bytes: number): string {
  if (poolOffset + bytes > pool.length) {
    generator.getRandomValues(pool);
    poolOffset = 0;
  }
  const id = hexOf(poolOffset, poolOffset + bytes);
  poolOffset += bytes;
  // An id of zeros only is invalid.
  return /[1-9a-f]/.test(id) ? id : randomHex(bytes);
}

function hexOf(from: number, to: number): string {
  if (NodeBuffer !== undefined) return (pool as Buffer).toString("hex", from, to);
  return Array.from(pool.subarray(from, to), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The value of a header. A header that was sent more than once has several values, or one value joined with commas. */
type Values = string | readonly string[] | undefined;

/**
 * Reads the trace from `traceparent` and `tracestate`. Returns `undefined` if `traceparent` is missing or malformed:
 * then a new trace begins. A malformed `tracestate` is dropped as a whole (3.3.1.1 to 3.3.1.3).
 */
export function readTrace(traceparent: Values, tracestate: Values): SpanContext | undefined {
  const value = typeof traceparent === "string" ? traceparent : traceparent?.length === 1 ? traceparent[0] : undefined;
  const caller = value === undefined ? undefined : parseTraceparent(value);
  if (caller === undefined || tracestate === undefined) return caller;
  const list = typeof tracestate === "string" ? tracestate : tracestate.join(",");
  return isTracestate(list) ? { ...caller, traceState: new ReceivedTraceState(list) } : caller;
}

/** The length of a `traceparent` of version 00. Later versions may append fields after a dash. */
const LENGTH = 55;

const DASH = "-".charCodeAt(0);

/** The value of a lower-case hexadecimal digit, by its byte; 255 (-1 as a byte) for other bytes. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, code) => "0123456789abcdef".indexOf(String.fromCharCode(code)));

/** The bytes of a `traceparent`, with one character after the fields, which takes up to four bytes in UTF-8. */
const characters = NodeBuffer?.alloc(LENGTH + 4) ?? new Uint8Array(LENGTH + 4);

/**
 * Parses version, trace id, span id and flags. A regular expression, or reading the string itself, takes several times
 * as long, and every request may have this header. UTF-8 is as fast as latin1, which would drop the high byte of a
 * character and read U+0661 as `a`.
 */
function parseTraceparent(value: string): SpanContext | undefined {
  if (value.length < LENGTH) return undefined;
  if (NodeBuffer !== undefined) (characters as Buffer).write(value, "utf8");
  else new TextEncoder().encodeInto(value, characters);
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
    // Unknown flags are not forwarded.
    traceFlags: DIGITS[characters[LENGTH - 1]!]! & (TraceFlags.SAMPLED | RANDOM),
    isRemote: true,
  };
}

/**
 * Returns the bitwise OR of the digits from `from` to before `to`: 0 if all are zero, 16 or more if one is not a digit.
 */
function bitsOf(from: number, to: number): number {
  let bits = 0;
  for (let index = from; index < to; index++) bits |= DIGITS[characters[index]!]!;
  return bits;
}

/** The specification requires forwarding of at least 512 characters (3.3.1.5). */
const MAX_CHARACTERS = 8192;
const MAX_MEMBERS = 32;
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Whether a list follows the grammar, which allows empty members. Duplicate keys are not checked: they are left to the
 * vendors.
 */
function isTracestate(list: string): boolean {
  if (list.length > MAX_CHARACTERS) return false;
  const members = list.split(",").map(withoutSpace);
  const named = members.filter((member) => member !== "");
  return named.length > 0 && named.length <= MAX_MEMBERS && named.every((member) => MEMBER.test(member));
}

/** Removes spaces and tabs at both ends. A regular expression for this would take quadratic time. */
export function withoutSpace(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && (text[from] === " " || text[from] === "\t")) from += 1;
  while (to > from && (text[to - 1] === " " || text[to - 1] === "\t")) to -= 1;
  return text.slice(from, to);
}

/**
 * The list as it was received. OpenTelemetry's TraceState drops members, and lists of more than 512 characters; it is
 * used only after a change.
 */
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
 * Returns the context with the span context that outgoing requests name as their parent: the active span of this
 * service, or, if nothing traces, a new span id in the trace of the request. Outside any trace it returns the context
 * unchanged.
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

/** Returns the trace headers of one outgoing request. Empty outside any trace. */
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

/**
 * The random flag of the trace. Spans of an SDK have the sampled flag only, so this reads the caller's; a trace that
 * began here is random.
 */
function randomFlag(ctx: OtelContext, { traceId }: SpanContext): number {
  const caller = ctx.getValue(CALLER) as SpanContext | undefined;
  return caller?.traceId === traceId ? caller.traceFlags & RANDOM : RANDOM;
}

/** Returns the context with the caller's trace, or without a trace if the caller sent no valid one. */
export function withTrace<C extends OtelContext>(ctx: C, caller: SpanContext | undefined): C {
  // `setValue` of a Context returns a Context.
  if (caller !== undefined) return trace.setSpanContext(ctx.setValue(CALLER, caller), caller) as C;
  return trace.getSpanContext(ctx) === undefined ? ctx : (trace.deleteSpan(ctx) as C);
}

/**
 * An OpenTelemetry propagator for W3C Trace Context level 2. Unlike OpenTelemetry's own it drops a malformed
 * `tracestate` as a whole and forwards the random flag. `startTelemetry` uses it; pass it to an SDK that you set up
 * yourself.
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
