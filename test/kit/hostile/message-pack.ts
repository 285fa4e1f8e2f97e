/**
 * MessagePack written by hand, so that it can also say what no encoder of a friend would: lengths
 * that lie, extensions, members with the names of an object's own parts.
 */
import { Buffer } from 'node:buffer';

/** Bytes that stand in a value's place as they are. */
export class RawBytes {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export function packed(value: unknown): Uint8Array {
  const parts: Uint8Array[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: unknown, parts: Uint8Array[]): void {
  if (value instanceof RawBytes) parts.push(value.bytes);
  else if (value instanceof Uint8Array) parts.push(head(0xc6, value.length), value);
  else if (Array.isArray(value)) {
    parts.push(head(0xdd, value.length));
    for (const one of value) write(one, parts);
  } else if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value);
    parts.push(head(0xdf, members.length));
    for (const [name, member] of members) {
      write(name, parts);
      write(member, parts);
    }
  } else parts.push(scalar(value));
}

function scalar(value: unknown): Uint8Array {
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([head(0xdb, text.length), text]);
  }
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value !== 'number') return Buffer.of(0xc0);
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** The first byte and four of length, whether or not it is true. */
export function head(first: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(5, first);
  bytes.writeUInt32BE(length >>> 0, 1);
  return bytes;
}

/** An extension of any type. */
export function extension(type: number, data: Uint8Array): RawBytes {
  return new RawBytes(Buffer.concat([head(0xc9, data.length), Buffer.of(type), data]));
}

/**
 * msgpackr's shared references: each level names the one below it twice, so that a few hundred
 * bytes mean more values than there are atoms.
 */
export function sharedReferences(levels: number): RawBytes {
  const id = (level: number) => Buffer.from([0, 0, 0, level]);
  const pointer = (level: number) => Buffer.concat([Buffer.of(0xd6, 0x70), id(level)]);
  const marked = (level: number) => Buffer.concat([Buffer.of(0xd6, 0x69), id(level)]);
  let inner = Buffer.concat([marked(0), Buffer.of(0x91, 0x01)]);
  for (let level = 1; level < levels; level += 1)
    inner = Buffer.concat([marked(level), Buffer.of(0x92), inner, pointer(level - 1)]);
  return new RawBytes(inner);
}

/** Arrays within arrays. */
export function nested(levels: number): RawBytes {
  return new RawBytes(Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.of(0xc0)]));
}
