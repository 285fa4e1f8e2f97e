/**
 * How an entry is recognised: its EventGUID as the 16 bytes that are stored, and a digest of its
 * content.
 */
import { createHash } from 'node:crypto';
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
