import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";

import { MOST_PARTS, unreadable } from "./otlp.ts";

/** Reads a message, and counts the messages in it. */
export class MessageReader extends BinaryReader {
  #messages = 0;

  count(): void {
    if (++this.#messages > MOST_PARTS) throw unreadable(`a request must have ${MOST_PARTS} parts at most`);
  }
}

/** How each field of a message that we read is written, by its number. */
export type Fields = Readonly<Record<number, WireType>>;

/** Reads a message that is a field of another: its length comes first. */
export function readMessage(reader: MessageReader, fields: Fields, read: (field: number) => void): void {
  reader.count();
  const length = reader.uint32();
  readFields(reader, reader.pos + length, fields, read);
}

/** Reads fields up to a place. Those that are not asked for, or are written otherwise, are passed over, as protobuf wants. */
export function readFields(reader: BinaryReader, end: number, fields: Fields, read: (field: number) => void): void {
  if (end > reader.len) throw unreadable("a message is longer than what was sent");
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (fields[field] === type) read(field);
    else reader.skip(type, field);
  }
  if (reader.pos !== end) throw unreadable("a field is longer than its message");
}
