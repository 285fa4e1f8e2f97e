/**
 * How an entry is recognised: its EventGUID as the 16 bytes that are stored, a digest of its
 * content, and a checksum that tells whether the disk gave back what was written.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isJsonObject, type JsonObject, type JsonValue } from '../../contracts/body/json-value.ts';

/** A UUID's 16 bytes: its identity whatever the case of its letters. */
export function guidBytes(guid: string): Buffer {
  return Buffer.from(guid.replaceAll('-', ''), 'hex');
}

export function guidText(bytes: Uint8Array): string {
  return dashed(Buffer.from(bytes).toString('hex'));
}

/** 32 hex digits as a UUID is written. */
export function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Characters given to the digest at once. */
const pieceChars = 64 * 1024;

/**
 * JSON text with the members of each object in order, in pieces: a large entry has no second copy of
 * itself made for its digest.
 */
class SortedText {
  readonly #take: (piece: string) => void;
  #piece = '';

  constructor(take: (piece: string) => void) {
    this.#take = take;
  }

  add(text: string): void {
    this.#piece += text;
    if (this.#piece.length >= pieceChars) this.end();
  }

  end(): void {
    this.#take(this.#piece);
    this.#piece = '';
  }

  value(value: JsonValue): void {
    if (Array.isArray(value)) this.#list(value);
    else if (isJsonObject(value)) this.#object(value);
    else this.add(JSON.stringify(value));
  }

  #list(list: readonly JsonValue[]): void {
    this.add('[');
    for (let at = 0; at < list.length; at += 1) {
      if (at > 0) this.add(',');
      this.value(list[at] as JsonValue);
    }
    this.add(']');
  }

  #object(object: JsonObject): void {
    let separator = '{';
    for (const name of inOrder(Object.keys(object))) {
      this.add(`${separator}${JSON.stringify(name)}:`);
      this.value(object[name] as JsonValue);
      separator = ',';
    }
    this.add(separator === '{' ? '{}' : '}');
  }
}

/** As an object made with sorted names lists them: whole numbers first, by their value. */
function inOrder(names: string[]): string[] {
  const order = Object.fromEntries(names.sort().map((name) => [name, null]));
  return Object.keys(order);
}

/**
 * A digest of the content, 16 bytes, the same for the same Action and Settings whatever the order
 * of members.
 */
export function contentDigest(action: string, settings: JsonObject): Buffer {
  const hash = createHash('sha256').update(action).update('\n');
  const text = new SortedText((piece) => void hash.update(piece));
  text.value(settings);
  text.end();
  return hash.digest().subarray(0, 16);
}

/** Stands for a digest that cannot be taken any more: the content was damaged before its body went. */
export const unknownDigest: Buffer = Buffer.alloc(16, 0xff);

/** The time in a version 7 GUID, ms; null for any other. */
export function guidTimeMs(guid: Buffer): number | null {
  const isTimed = (guid[6] ?? 0) >> 4 === 7 && (guid[8] ?? 0) >> 6 === 2;
  return isTimed ? guid.readUIntBE(0, 6) : null;
}

/** Over all that delivery depends on; the GUID as bytes or 32 hex digits, `body` as it is stored. */
export function crcOf(action: string, key: string, guid: Buffer | string, body: string): number {
  const hex = typeof guid === 'string' ? guid : guid.toString('hex');
  return crc32(body, crc32(`${action}\n${key}\n${hex}\n`));
}
