import type { Attributes, AttributeValue, ViewedSpan } from "../span.ts";

/** Bytes of a V8 object with its fields, and of a key with its value: measured with a million spans. */
const SPAN = 320;
const PAIR = 32;

/** Estimates the memory of a span in bytes, without its resource. */
export function spanBytes({ name, attributes, events = [], links = [], statusMessage = "" }: ViewedSpan): number {
  let bytes = SPAN + name.length + statusMessage.length + links.length * 2 * PAIR + attributeBytes(attributes);
  for (const event of events) bytes += SPAN / 2 + event.name.length + attributeBytes(event.attributes);
  return bytes;
}

export function attributeBytes(attributes: Attributes): number {
  let bytes = 0;
  for (const value of Object.values(attributes)) bytes += PAIR + lengthOf(value);
  return bytes;
}

function lengthOf(value: AttributeValue): number {
  if (typeof value === "string") return value.length;
  return typeof value === "object" ? value.reduce<number>((sum, each) => sum + PAIR + lengthOf(each), 0) : 0;
}
