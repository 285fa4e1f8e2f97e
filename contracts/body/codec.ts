/**
 * Bodies on the bus: MessagePack or JSON, gzipped or not. The reply uses the encoding of the
 * request.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { parseJson } from './exact-integers.ts';
import { scanJson, scanMessagePack } from './body-scan.ts';
import { TidemarkError } from '../errors.ts';
import { limits } from '../limits.ts';

export type Encoding = 'json' | 'msgpack';

export const contentType = { json: 'application/json', msgpack: 'application/msgpack' } as const;

/** The part of NATS headers the codec reads; both clients' MsgHdrs have it. */
export type HeaderReader = { get(name: string): string };

const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false });
const text = new TextDecoder('utf-8', { fatal: true });

/** What a body may be, unzipped. */
export type BodyBounds = { bytesMax: number; valuesMax: number };

const wholeBody: BodyBounds = { bytesMax: limits.bodyBytesMax, valuesMax: limits.bodyValuesMax };

/**
 * Which encoding a body has: the `Content-Type` header, else JSON when the first byte is `{` or `[`
 * or there is none.
 * @throws TidemarkError INVALID_MESSAGE for a Content-Type that is neither of the two.
 */
export function encodingOf(body: Uint8Array, headers?: HeaderReader): Encoding {
  const declared = headers?.get('Content-Type').split(';')[0]?.trim().toLowerCase();
  if (declared === contentType.json) return 'json';
  if (declared === contentType.msgpack || declared === 'application/x-msgpack') return 'msgpack';
  if (declared)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `header Content-Type: ${declared} is neither application/json nor application/msgpack`,
    );
  return body.length === 0 || body[0] === 0x7b || body[0] === 0x5b ? 'json' : 'msgpack';
}

/**
 * Bytes to a value, unzipped if `Content-Encoding` says so. An empty body is an empty object. The
 * bytes are looked through before anything is built of them.
 * @throws TidemarkError INVALID_MESSAGE when it cannot be read, TOO_LARGE over
 * `limits.bodyBytesMax` or `limits.bodyValuesMax`.
 */
export function decodeBody(
  body: Uint8Array,
  headers?: HeaderReader,
  bounds: BodyBounds = wholeBody,
): unknown {
  const plain = inflate(body, headers, bounds.bytesMax);
  if (plain.length === 0) return {};
  if (plain.length > bounds.bytesMax) throw tooLarge(plain.length, bounds.bytesMax);
  const encoding = encodingOf(plain, headers);
  if (encoding === 'msgpack') scanMessagePack(plain, bounds.valuesMax);
  else if (plain.length > limits.jsonScanAboveBytes) scanJson(plain, bounds.valuesMax);
  try {
    return encoding === 'json' ? parseJson(text.decode(plain)) : packr.unpack(plain);
  } catch (cause) {
    if (cause instanceof TidemarkError) throw cause;
    throw new TidemarkError('INVALID_MESSAGE', `body: not readable as ${encoding}`, { cause });
  }
}

/**
 * The value of a body that takes a few milliseconds at most; null for one that is larger, or could
 * be, and is to be decoded where it holds up nobody.
 * @throws TidemarkError as `decodeBody`
 */
export function decodeSmallBody(
  body: Uint8Array,
  headers?: HeaderReader,
): { value: unknown } | null {
  const bytes = saidBytes(body, headers);
  if (bytes > limits.smallBodyBytesMax) return null;
  try {
    return { value: decodeBody(body, headers, { ...wholeBody, bytesMax: bytes }) };
  } catch (error) {
    // Of several pieces zipped one behind the other, the last one's size is all that is said.
    if (error instanceof TidemarkError && error.code === 'TOO_LARGE') return null;
    throw error;
  }
}

/**
 * The value of a body where nothing large is ever said.
 * @throws TidemarkError TOO_LARGE, and as `decodeBody`
 */
export function decodeBrief(body: Uint8Array, headers?: HeaderReader): unknown {
  const small = decodeSmallBody(body, headers);
  if (small) return small.value;
  throw new TidemarkError(
    'TOO_LARGE',
    `body: more than the ${limits.smallBodyBytesMax} bytes that are taken here`,
  );
}

/** How large a body says it is once it is unzipped. */
export function saidBytes(body: Uint8Array, headers?: HeaderReader): number {
  if (headers?.get('Content-Encoding').trim().toLowerCase() !== 'gzip' || body.length < 18)
    return body.length;
  return new DataView(body.buffer, body.byteOffset, body.length).getUint32(body.length - 4, true);
}

function inflate(
  body: Uint8Array,
  headers: HeaderReader | undefined,
  bytesMax: number,
): Uint8Array {
  const encoding = headers?.get('Content-Encoding').trim().toLowerCase();
  if (!encoding || encoding === 'identity') return body;
  if (encoding !== 'gzip')
    throw new TidemarkError('INVALID_MESSAGE', `header Content-Encoding: ${encoding} is not gzip`);
  try {
    return gunzipSync(body, { maxOutputLength: Math.max(bytesMax, 1) });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(bytesMax + 1, bytesMax);
    throw new TidemarkError('INVALID_MESSAGE', 'body: not readable as gzip', { cause });
  }
}

function tooLarge(bytes: number, bytesMax: number): TidemarkError {
  return new TidemarkError('TOO_LARGE', `body: ${bytes} bytes or more, at most ${bytesMax}`);
}

/** A value to bytes in the given encoding. The bytes are the caller's to keep. */
export function encodeBody(value: unknown, encoding: Encoding): Uint8Array {
  return encoding === 'json'
    ? Buffer.from(JSON.stringify(value))
    : Uint8Array.prototype.slice.call(packr.pack(value));
}

/** Bytes ready to send: gzipped above `zipAboveBytes`, with the headers that say so. */
export function packBody(
  value: unknown,
  encoding: Encoding,
  zipAboveBytes: number = limits.gzipAboveBytes,
): { body: Uint8Array; headers: Record<string, string> } {
  const plain = encodeBody(value, encoding);
  const headers: Record<string, string> = { 'Content-Type': contentType[encoding] };
  if (plain.length <= zipAboveBytes) return { body: plain, headers };
  return {
    body: gzipSync(plain, { level: 1 }),
    headers: { ...headers, 'Content-Encoding': 'gzip' },
  };
}
