/**
 * How an entry is recognised: its EventGUID as the 16 bytes that are stored, a digest of its
 * content, and a checksum that tells whether the disk gave back what was written.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isJsonObject, type JsonObject, type JsonValue } from '../../contracts/json-value.ts';

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

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key] as JsonValue)]),
  );
}

/**
 * A digest of the content, 16 bytes, the same for the same Action and Settings whatever the order
 * of members.
 */
export function contentDigest(action: string, settings: JsonObject): Buffer {
  return createHash('sha256')
    .update(action)
    .update('\n')
    .update(JSON.stringify(sorted(settings)))
    .digest()
    .subarray(0, 16);
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
