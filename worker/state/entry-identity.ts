/**
 * Computes what an entry is recognised by: its EventGUID as 16 bytes, a digest of its content, and
 * a checksum that shows whether the disk gave back what was written.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isJsonObject, type JsonObject, type JsonValue } from '../../contracts/body/json-value.ts';

/** The 16 bytes of a UUID. Upper and lower case letters give the same bytes. */
export function guidBytes(guid: string): Buffer {
  return Buffer.from(guid.replaceAll('-', ''), 'hex');
}

export function guidText(bytes: Uint8Array): string {
  return dashed(Buffer.from(bytes).toString('hex'));
}

/** Puts the dashes of a UUID into 32 hex digits. */
export function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** How many characters are given to the hash at a time. */
const pieceChars = 64 * 1024;

/**
 * Writes JSON with the members of each object sorted. The text is passed on in pieces, so that the
 * digest of a large entry needs no second copy of it.
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

/**
 * Sorts names as JavaScript lists the members of an object: whole numbers by value, then the rest.
 */
function inOrder(names: string[]): string[] {
  const order = Object.fromEntries(names.sort().map((name) => [name, null]));
  return Object.keys(order);
}

/** A digest of Action and Settings, 16 bytes. The order of members makes no difference. */
export function contentDigest(action: string, settings: JsonObject): Buffer {
  const hash = createHash('sha256').update(action).update('\n');
  const text = new SortedText((piece) => void hash.update(piece));
  text.value(settings);
  text.end();
  return hash.digest().subarray(0, 16);
}

/** Stored instead of a digest when an entry was damaged before it was stripped. */
export const unknownDigest: Buffer = Buffer.alloc(16, 0xff);

/** The time in a version 7 GUID, in ms; null for other versions. */
export function guidTimeMs(guid: Buffer): number | null {
  const isTimed = (guid[6] ?? 0) >> 4 === 7 && (guid[8] ?? 0) >> 6 === 2;
  return isTimed ? guid.readUIntBE(0, 6) : null;
}

/**
 * The checksum over action, key, GUID and body. The GUID is bytes or 32 hex digits, `body` is the
 * stored text.
 */
export function crcOf(action: string, key: string, guid: Buffer | string, body: string): number {
  const hex = typeof guid === 'string' ? guid : guid.toString('hex');
  return crc32(body, crc32(`${action}\n${key}\n${hex}\n`));
}
