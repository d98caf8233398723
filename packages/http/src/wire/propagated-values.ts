import { type Key } from "@throughline/context";
import { callable, checkValues, describeValue, oneOf, refuseUnknown, wholeNumber } from "@throughline/context/internal";

import { folded } from "./baggage.ts";
import type { Codec } from "./codec.ts";

/** How a value is propagated to other services. */
export interface PropagationOptions<T> {
  /** The name of the baggage entry or header: lower-case letters, digits and hyphens. */
  name: string;
  codec: Codec<T>;
  /** The maximum length of the encoded value in bytes. A longer value cannot be bound, and is dropped on receipt. */
  maxBytes: number;
  /** Whether the value is sent as a W3C baggage entry or as a separate header. @default "baggage" */
  as?: "baggage" | "header";
  /** Where the value is sent: to the `origins` of a client, or nowhere. @default "allowed-origins" */
  to?: "allowed-origins" | "never";
  /** From whom a server accepts the value: from peers that it trusts, or from every peer. @default "trusted" */
  accept?: "trusted" | "anyone";
}

/** The validated options of a key. */
export interface PropagatedValue {
  readonly key: Key<unknown>;
  readonly name: string;
  /** See {@link folded}. */
  readonly folded: string;
  readonly codec: Codec<unknown>;
  readonly maxBytes: number;
  readonly as: "baggage" | "header";
  readonly to: "allowed-origins" | "never";
  readonly accept: "trusted" | "anyone" | "verified";
  /** The client's `send` option that applies to the value. */
  readonly kind: "values" | "identity";
}

/** Headers that have another meaning, or of which Node drops all values but one. */
const RESERVED_NAMES = new Set(
  (
    "age authorization baggage connection content-encoding content-length content-type cookie etag expires from " +
    "grpc-timeout host if-modified-since if-unmodified-since keep-alive last-modified location max-forwards " +
    "proxy-authorization referer retry-after server set-cookie te throughline-criticality throughline-outcome " +
    "traceparent tracestate trailer transfer-encoding upgrade user-agent"
  ).split(" "),
);
const ACTION = "propagate a value";
const NAME = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * All propagated values of the process, shared by all installed copies of this package: the middleware of one copy must
 * remove untrusted values that another copy propagates.
 */
const REGISTRY = Symbol.for("@throughline/http/declared.1");
const shared = globalThis as { [REGISTRY]?: PropagatedValue[] };
const registry: PropagatedValue[] = (shared[REGISTRY] ??= []);

/**
 * Propagates the values of a key to other services. Without this call, values stay in the process. The receiving
 * service calls it with a key of its own and the same name.
 *
 * @throws TypeError, RangeError if an option is invalid, or if the key or the name is already propagated
 */
export function propagateValue<T>(key: Key<T>, options: PropagationOptions<T>): void {
  const { name, codec, maxBytes, as = "baggage", to = "allowed-origins", accept = "trusted", ...others } = options;
  refuseUnknown(others, ACTION);
  oneOf("as", as, ["baggage", "header"], ACTION);
  oneOf("to", to, ["allowed-origins", "never"], ACTION);
  oneOf("accept", accept, ["trusted", "anyone"], ACTION);
  register(key, { name, codec, maxBytes, as, to, accept, kind: "values" });
}

/**
 * Propagates a proof of identity in a separate header. Clients send it according to `send.identity`. Servers remove it
 * from every request and pass it only to a verifier.
 */
export function propagateIdentity<T>(
  key: Key<T>,
  options: Pick<PropagationOptions<T>, "name" | "codec" | "maxBytes">,
): void {
  register(key, { ...options, as: "header", to: "allowed-origins", accept: "verified", kind: "identity" });
}

function register<T>(
  key: Key<T>,
  options: Omit<PropagatedValue, "key" | "codec" | "folded"> & { readonly codec: Codec<T> },
): void {
  const { name, codec, maxBytes, kind } = options;
  if (typeof key !== "symbol") {
    throw new TypeError(`Cannot ${ACTION}: 'key' must be made by createKey(); received ${describeValue(key)}`);
  }
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'name' must be lower-case letters, digits and hyphens, at most 64; ` +
        `received ${describeValue(name)}`,
    );
  }
  for (const method of ["encode", "decode"] as const) callable(`codec.${method}`, codec?.[method], ACTION);
  if (wholeNumber("maxBytes", maxBytes, 1, ACTION) > MAX_BYTES) {
    throw new RangeError(`Cannot ${ACTION}: 'maxBytes' must be at most ${MAX_BYTES}; received ${maxBytes}`);
  }
  if (options.as === "header" && RESERVED_NAMES.has(name)) {
    throw new TypeError(
      `Cannot ${ACTION}: 'name' must not be a header with another meaning; received ${describeValue(name)}`,
    );
  }
  const foldedName = folded(name);
  for (const each of registry) {
    // Each installed copy of an identity package propagates the same header with a key of its own.
    if (each.kind === "identity" && kind === "identity" && each.name === name && each.key !== key) continue;
    if (each.key === key) {
      throw new TypeError(`Cannot ${ACTION}: 'key' must be new; it is already propagated as '${each.name}'`);
    }
    if (each.name === name) throw new TypeError(`Cannot ${ACTION}: 'name' must be unique; '${name}' is already in use`);
    if (each.folded === foldedName) {
      throw new TypeError(
        `Cannot ${ACTION}: 'name' must differ from '${each.name}' in more than hyphens and a leading 'http-', ` +
          `which gateways may drop; received ${describeValue(name)}`,
      );
    }
  }
  const value = { ...options, key, codec, folded: foldedName } as unknown as PropagatedValue;
  registry.push(value);
  checkValues(key as Key<unknown>, (each) => void encode(value, each));
}

/** The maximum length of one value. It must fit into a header, and servers accept 16 KiB of headers in total. */
const MAX_BYTES = 8192;

/**
 * Percent-encoded in a header: all but printable ASCII; the comma, which separates repeated headers; and `%` itself.
 */
const UNSAFE_IN_HEADER = /[^\x21-\x24\x26-\x2b\x2d-\x7e]+/gu;

/**
 * Encodes a value for a request. Returns `undefined` if the value is `undefined`, which hides a value of a parent
 * context, or if the codec omits it.
 *
 * @throws TypeError, RangeError if the value cannot be encoded
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
      `Cannot bind a value: '${name}' must be encoded as a string; its codec returned ${describeValue(text)}`,
    );
  }
  if (!text.isWellFormed()) {
    throw new TypeError(`Cannot bind a value: '${name}' contains an unpaired UTF-16 surrogate`);
  }
  const encoded = as === "baggage" ? encodeURIComponent(text) : text.replaceAll(UNSAFE_IN_HEADER, encodeURIComponent);
  if (as === "header" && encoded === "") {
    throw new TypeError(`Cannot bind a value: '${name}' must not be an empty string; it is sent as a header`);
  }
  // The limit of baggage includes the names of its entries.
  const limit = as === "baggage" ? Math.min(maxBytes, MAX_BYTES - name.length - 1) : maxBytes;
  if (encoded.length > limit) {
    throw new RangeError(
      `Cannot bind a value: '${name}' must be ${limit} bytes at most when it is written: it is ${encoded.length} bytes`,
    );
  }
  return encoded;
}

/** Decodes a received value. Returns `undefined` if it is too long or malformed. */
export function decode({ codec, maxBytes }: PropagatedValue, encoded: string): unknown {
  if (encoded.length > maxBytes) return undefined;
  try {
    return codec.decode(decodeURIComponent(encoded));
  } catch {
    return undefined;
  }
}

/** Returns all propagated values of the process. */
export function propagatedValues(): readonly PropagatedValue[] {
  return registry;
}
