import { WireType } from "@bufbuild/protobuf/wire";

import type { Attributes, AttributeValue } from "../span.ts";
import { flattened, integerOrText, MOST_LEVELS, numberOrText, type Part, unreadable } from "./otlp.ts";
import { type Fields, type MessageReader, readMessage } from "./protobuf-message.ts";

const { Bit64, LengthDelimited, Varint } = WireType;

/** Messages of which we read no more than the first field. */
export const FIRST: Fields = { 1: LengthDelimited };

/** Of a message whose first field they are, such as a resource. */
export function readAttributesOf(reader: MessageReader): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  readMessage(reader, FIRST, () => readAttribute(reader, attributes, 0));
  return attributes;
}

const KEY_VALUE: Fields = { 1: LengthDelimited, 2: LengthDelimited };

/** Reads one, with its key, into others. */
export function readAttribute(reader: MessageReader, into: Record<string, AttributeValue>, level: number): void {
  const [key, part] = readPair(reader, level);
  const value = flattened(part);
  if (key !== "__proto__") into[key] = value;
  // A name like any other.
  else Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}

function readPair(reader: MessageReader, level: number): [key: string, value: Part] {
  let key = "";
  let value: Part = "null";
  readMessage(reader, KEY_VALUE, (field) => {
    if (field === 1) key = reader.string();
    else value = readPart(reader, level);
  });
  return [key, value];
}

const VALUE: Fields = {
  1: LengthDelimited,
  2: Varint,
  3: Varint,
  4: Bit64,
  5: LengthDelimited,
  6: LengthDelimited,
  7: LengthDelimited,
};

/** A value, in which maps are still maps. */
function readPart(reader: MessageReader, level: number): Part {
  if (level >= MOST_LEVELS) throw unreadable(`a value must have ${MOST_LEVELS} levels at most`);
  let value: Part = "null";
  readMessage(reader, VALUE, (field) => {
    if (field === 1) value = reader.string();
    else if (field === 2) value = reader.bool();
    else if (field === 3) value = integerOrText(reader.int64());
    else if (field === 4) value = numberOrText(reader.double());
    else if (field === 5) value = readList(reader, level + 1);
    else if (field === 6) value = readMap(reader, level + 1);
    else value = Buffer.from(reader.bytes()).toString("base64");
  });
  return value;
}

function readList(reader: MessageReader, level: number): Part[] {
  const values: Part[] = [];
  readMessage(reader, FIRST, () => values.push(readPart(reader, level)));
  return values;
}

function readMap(reader: MessageReader, level: number): Part {
  const pairs: [string, Part][] = [];
  readMessage(reader, FIRST, () => pairs.push(readPair(reader, level)));
  return Object.fromEntries(pairs);
}
