import type { Attributes, ViewedSpan } from "../span.ts";
import { attributeBytes } from "./span-bytes.ts";

interface KeptResource {
  readonly resource: Attributes;
  readonly text: string;
  readonly bytes: number;
  /** How many spans are of it. */
  spans: number;
}

/** The resources of the spans that are kept. Equal ones are one object, however often they are sent, which leaves with its last span. */
export class Resources {
  readonly #byText = new Map<string, KeptResource>();
  /** All that are kept and those equal to them, so that one batch is compared once. */
  readonly #byObject = new WeakMap<Attributes, KeptResource>();

  /** Has a span share its resource with others. Returns how many bytes that takes. */
  share(span: ViewedSpan): number {
    if (span.resource === undefined) return 0;
    const kept = this.#keep(span.resource);
    (span as { resource?: Attributes }).resource = kept.resource;
    kept.spans += 1;
    return kept.spans === 1 ? kept.bytes : 0;
  }

  /** Lets go of the resource of a span that was shared. Returns how many bytes that frees. */
  leave({ resource }: ViewedSpan): number {
    if (resource === undefined) return 0;
    const kept = this.#byObject.get(resource)!;
    kept.spans -= 1;
    if (kept.spans > 0) return 0;
    this.#byText.delete(kept.text);
    this.#byObject.delete(resource);
    return kept.bytes;
  }

  #keep(resource: Attributes): KeptResource {
    const known = this.#byObject.get(resource);
    // One whose last span has left may have been followed by another.
    if (known !== undefined && this.#byText.get(known.text) === known) return known;
    const text = JSON.stringify(resource);
    let kept = this.#byText.get(text);
    if (kept === undefined) {
      kept = { resource, text, bytes: text.length + attributeBytes(resource), spans: 0 };
      this.#byText.set(text, kept);
    }
    this.#byObject.set(resource, kept);
    return kept;
  }
}
