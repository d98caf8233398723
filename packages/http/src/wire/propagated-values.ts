import { type Key } from "@throughline/context";
import { callable, checkValues, describeValue, oneOf, refuseUnknown, wholeNumber } from "@throughline/context/internal";

import { folded } from "./baggage.ts";
import type { Codec } from "./codec.ts";

/** How a value crosses to other services. */
export interface PropagationOptions<T> {
  /** What it is called there: in W3C baggage, or as a header of its own. Lower-case letters, digits and hyphens. */
  name: string;
  codec: Codec<T>;
  /** How long it may be when it is written, in bytes. A longer one is refused where it is bound, and dropped where it is received. */
  maxBytes: number;
  /** @default "baggage" */
  as?: "baggage" | "header";
  /** Where it is sent: to the origins that a client allows, or nowhere. @default "allowed-origins" */
  to?: "allowed-origins" | "never";
  /** From whom it is taken: from peers that a server trusts, or from anyone. @default "trusted" */
  accept?: "trusted" | "anyone";
}

/** A declaration as it was checked. */
export interface PropagatedValue {
  readonly key: Key<unknown>;
  readonly name: string;
  /** The name without all that careless readers do not tell apart: see {@link folded}. */
  readonly folded: string;
  readonly codec: Codec<unknown>;
  readonly maxBytes: number;
  readonly as: "baggage" | "header";
  readonly to: "allowed-origins" | "never";
  readonly accept: "trusted" | "anyone" | "verified";
  /** What of a client's switches it goes by. */
  readonly kind: "values" | "identity";
}

/** Headers with another meaning, or of which Node keeps one of two. */
const TAKEN = new Set(
  (
    "age authorization baggage connection content-encoding content-length content-type cookie etag expires from grpc-timeout host " +
    "if-modified-since if-unmodified-since keep-alive last-modified location max-forwards proxy-authorization referer retry-after " +
    "server set-cookie te throughline-criticality throughline-outcome traceparent tracestate trailer transfer-encoding upgrade user-agent"
  ).split(" "),
);
const ACTION = "declare a value";
const NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** All that cross, for the whole process and all installed copies of this package: a middleware of one copy must strip what another declares. */
const DECLARED = Symbol.for("@throughline/http/declared.1");
const shared = globalThis as { [DECLARED]?: PropagatedValue[] };
const declared: PropagatedValue[] = (shared[DECLARED] ??= []);

/**
 * Has the values of a key cross to other services; without it they stay in this process. The other service declares a key of its own
 * by the same name.
 *
 * @throws TypeError, RangeError if the declaration is wrong, or if the key or the name has been declared before
 */
export function propagateValue<T>(key: Key<T>, declaration: PropagationOptions<T>): void {
  const { name, codec, maxBytes, as = "baggage", to = "allowed-origins", accept = "trusted", ...others } = declaration;
  refuseUnknown(others, ACTION);
  oneOf("as", as, ["baggage", "header"], ACTION);
  oneOf("to", to, ["allowed-origins", "never"], ACTION);
  oneOf("accept", accept, ["trusted", "anyone"], ACTION);
  register(key, { name, codec, maxBytes, as, to, accept, kind: "values" });
}

/** The same for what proves an identity: in a header of its own, sent where identity is, and received only by whoever verifies it. */
export function propagateIdentity<T>(
  key: Key<T>,
  declaration: Pick<PropagationOptions<T>, "name" | "codec" | "maxBytes">,
): void {
  register(key, { ...declaration, as: "header", to: "allowed-origins", accept: "verified", kind: "identity" });
}

function register<T>(
  key: Key<T>,
  declaration: Omit<PropagatedValue, "key" | "codec" | "folded"> & { readonly codec: Codec<T> },
): void {
  const { name, codec, maxBytes, kind } = declaration;
  if (typeof key !== "symbol") {
    throw new TypeError(`Cannot ${ACTION}: 'key' must be made by createKey(); received ${describeValue(key)}`);
  }
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'name' must be lower-case letters, digits and hyphens, 64 at most; received ${describeValue(name)}`,
    );
  }
  for (const method of ["encode", "decode"] as const) callable(`codec.${method}`, codec?.[method], ACTION);
  if (wholeNumber("maxBytes", maxBytes, 1, ACTION) > MOST_BYTES) {
    throw new RangeError(`Cannot ${ACTION}: 'maxBytes' must be at most ${MOST_BYTES}; received ${maxBytes}`);
  }
  if (declaration.as === "header" && TAKEN.has(name)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'name' must not be that of a header with another meaning; received ${describeValue(name)}`,
    );
  }
  const foldedName = folded(name);
  for (const each of declared) {
    // Of two copies of a package that carries an identity, each declares the same header for a key of its own.
    if (each.kind === "identity" && kind === "identity" && each.name === name && each.key !== key) continue;
    if (each.key === key) throw new TypeError(`Cannot ${ACTION}: the key has been declared before`);
    if (each.name === name) throw new TypeError(`Cannot ${ACTION}: the name '${name}' has been declared before`);
    if (each.folded === foldedName) {
      throw new TypeError(
        `Cannot ${ACTION}: the name '${name}' cannot be told from '${each.name}', which has been declared before: gateways fold them to one`,
      );
    }
  }
  const one = { ...declaration, key, codec, folded: foldedName } as unknown as PropagatedValue;
  declared.push(one);
  checkValues(key as Key<unknown>, (value) => void encode(one, value));
}

/** One value must fit a header: servers take 16 KiB of all of them. */
const MOST_BYTES = 8192;

/** All that is not written as it is in a header: what is not printed, the comma, by which one that was sent twice is told, and what stands for others. */
const UNFIT_FOR_A_HEADER = /[^\x21-\x24\x26-\x2b\x2d-\x7e]+/gu;

/**
 * A value as it is sent. `undefined`, which hides one further out, is not.
 *
 * @throws TypeError, RangeError if it cannot be
 */
export function encode({ name, codec, maxBytes, as }: PropagatedValue, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  let text: string | undefined;
  try {
    text = codec.encode(value);
  } catch (cause) {
    throw new TypeError(`Cannot bind a value: '${name}' cannot be written: ${(cause as Error).message}`, { cause });
  }
  if (text === undefined) return undefined;
  if (typeof text !== "string") {
    throw new TypeError(
      `Cannot bind a value: '${name}' must be written as a string: its codec gave ${describeValue(text)}`,
    );
  }
  const whole = wellFormed(name, text);
  const written =
    as === "baggage" ? encodeURIComponent(whole) : whole.replaceAll(UNFIT_FOR_A_HEADER, encodeURIComponent);
  if (as === "header" && written === "") {
    throw new TypeError(`Cannot bind a value: '${name}' must not be empty when it is written: it is a header`);
  }
  // All of a request's baggage is no longer than that, its names included.
  const most = as === "baggage" ? Math.min(maxBytes, MOST_BYTES - name.length - 1) : maxBytes;
  if (written.length > most) {
    throw new RangeError(
      `Cannot bind a value: '${name}' must be ${most} bytes at most when it is written: it is ${written.length} bytes`,
    );
  }
  return written;
}

function wellFormed(name: string, text: string): string {
  if (text.isWellFormed()) return text;
  throw new TypeError(`Cannot bind a value: '${name}' must be written in whole characters: it has half of a pair`);
}

/** The value that was sent; `undefined` for what is none. */
export function decode({ codec, maxBytes }: PropagatedValue, written: string): unknown {
  if (written.length > maxBytes) return undefined;
  try {
    return codec.decode(decodeURIComponent(written));
  } catch {
    return undefined;
  }
}

/** All that has been declared. */
export function propagatedValues(): readonly PropagatedValue[] {
  return declared;
}
