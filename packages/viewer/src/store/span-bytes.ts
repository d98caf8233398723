import type { Attributes, AttributeValue, ViewedSpan } from "../span.ts";

/** Bytes of a V8 object with its fields, and of a key with its value: measured with a million spans. */
const SPAN = 320;
const PAIR = 32;

/** Estimates the memory of a span in bytes, without its resource. */
export function spanBytes(span: ViewedSpan): number {
  const { name, service, attributes, events = [], links = [], statusMessage = "", scope = "" } = span;
  let bytes = SPAN + textBytes(name) + textBytes(service) + textBytes(statusMessage) + attributeBytes(attributes);
  bytes += textBytes(scope) + textBytes(span.scopeVersion ?? "");
  if (span.scopeAttributes !== undefined) bytes += attributeBytes(span.scopeAttributes);
  for (const event of events) bytes += SPAN / 2 + textBytes(event.name) + attributeBytes(event.attributes);
  for (const link of links) {
    bytes += 2 * PAIR + (link.attributes === undefined ? 0 : attributeBytes(link.attributes));
  }
  return bytes;
}

export function attributeBytes(attributes: Attributes): number {
  let bytes = 0;
  for (const key in attributes) bytes += PAIR + textBytes(key) + valueBytes(attributes[key]!);
  return bytes;
}

function valueBytes(value: AttributeValue): number {
  if (typeof value === "string") return textBytes(value);
  if (typeof value !== "object") return 0;
  let bytes = 0;
  for (const each of value) bytes += PAIR + valueBytes(each);
  return bytes;
}

/** V8 keeps a text in one byte a character if all of it is Latin-1, else in two. Short texts are not examined. */
export function textBytes(text: string): number {
  return text.length > 16 && WIDE.test(text) ? text.length * 2 : text.length;
}

const WIDE = /[\u0100-\uffff]/;
