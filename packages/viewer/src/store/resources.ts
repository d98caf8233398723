import type { Attributes, ViewedSpan } from "../span.ts";
import { attributeBytes, textBytes } from "./span-bytes.ts";

interface StoredResource {
  readonly resource: Attributes;
  readonly text: string;
  readonly bytes: number;
  /** Number of spans that refer to it. */
  spans: number;
}

/** The resources of the stored spans, with reference counts: spans with equal resources share one object. */
export class Resources {
  readonly #byText = new Map<string, StoredResource>();
  /** Also has objects equal to a stored one, so that the resource of a batch is serialized once. */
  readonly #byObject = new WeakMap<Attributes, StoredResource>();

  /** Replaces the resource of a span by the shared object. Returns the number of bytes added. */
  acquire(span: ViewedSpan): number {
    if (span.resource === undefined) return 0;
    const stored = this.#intern(span.resource);
    (span as { resource?: Attributes }).resource = stored.resource;
    stored.spans += 1;
    return stored.spans === 1 ? stored.bytes : 0;
  }

  /** Releases the resource of a span. Returns the number of bytes freed. */
  release({ resource }: ViewedSpan): number {
    if (resource === undefined) return 0;
    const stored = this.#byObject.get(resource)!;
    stored.spans -= 1;
    if (stored.spans > 0) return 0;
    this.#byText.delete(stored.text);
    this.#byObject.delete(resource);
    return stored.bytes;
  }

  #intern(resource: Attributes): StoredResource {
    const known = this.#byObject.get(resource);
    // The entry may be stale: another object may have replaced it after its last span was released.
    if (known !== undefined && this.#byText.get(known.text) === known) return known;
    const text = JSON.stringify(resource);
    let stored = this.#byText.get(text);
    if (stored === undefined) {
      stored = { resource, text, bytes: textBytes(text) + attributeBytes(resource), spans: 0 };
      this.#byText.set(text, stored);
    }
    this.#byObject.set(resource, stored);
    return stored;
  }
}
