/** Bodies in both encodings, gzipped or not, declared or not. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeBody,
  type Encoding,
  encodeBody,
  encodingOf,
  packBody,
} from '../../../contracts/body/codec.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { rubbishBytes } from '../../kit/arbitraries.ts';

const reader = (headers: Record<string, string>) => ({
  get: (name: string) => headers[name] ?? '',
});
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'none';
  } catch (error) {
    return error instanceof TidemarkError ? error.code : `not ours: ${String(error)}`;
  }
};

test.for<Encoding>(['json', 'msgpack'])(
  'codec — what is packed as %s comes back the same, with its headers and without',
  (encoding) => {
    // MessagePack's decoder renames a member called __proto__, to keep the prototype safe.
    const plainValue = fc
      .dictionary(fc.string(), fc.jsonValue())
      .filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(plainValue, (value) => {
        const { body, headers } = packBody(value, encoding);
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(JSON.parse(JSON.stringify(decodeBody(body, reader(headers))))).toEqual(plain);
        expect(encodingOf(body, reader(headers))).toBe(encoding);
        expect(JSON.parse(JSON.stringify(decodeBody(body)))).toEqual(plain);
      }),
      { numRuns: 200 },
    );
  },
);

test('codec — a large body is gzipped, says so, and comes back', () => {
  const value = { Text: 'long '.repeat(limits.gzipAboveBytes) };
  for (const encoding of ['json', 'msgpack'] as const) {
    const { body, headers } = packBody(value, encoding);
    expect(headers['Content-Encoding']).toBe('gzip');
    expect(body.length).toBeLessThan(limits.gzipAboveBytes);
    expect(decodeBody(body, reader(headers))).toEqual(value);
  }
});

test('codec — the header decides the encoding; parameters and case do not matter', () => {
  expect(
    encodingOf(
      encodeBody({}, 'msgpack'),
      reader({ 'Content-Type': 'Application/JSON; charset=utf-8' }),
    ),
  ).toBe('json');
  expect(encodingOf(Buffer.from('{}'), reader({ 'Content-Type': 'application/msgpack' }))).toBe(
    'msgpack',
  );
  expect(encodingOf(Buffer.from('[1]'))).toBe('json');
  expect(encodingOf(encodeBody({ a: 1 }, 'msgpack'))).toBe('msgpack');
});

test('codec — other content types and encodings, and bodies that are not what they say, are refused', () => {
  const body = Buffer.from('{"a":1}');
  expect(codeOf(() => decodeBody(body, reader({ 'Content-Type': 'text/xml' })))).toBe(
    'INVALID_MESSAGE',
  );
  expect(codeOf(() => decodeBody(body, reader({ 'Content-Encoding': 'br' })))).toBe(
    'INVALID_MESSAGE',
  );
  expect(codeOf(() => decodeBody(body, reader({ 'Content-Encoding': 'gzip' })))).toBe(
    'INVALID_MESSAGE',
  );
  expect(
    codeOf(() => decodeBody(Buffer.from('{"a":'), reader({ 'Content-Type': 'application/json' }))),
  ).toBe('INVALID_MESSAGE');
  expect(codeOf(() => decodeBody(Buffer.from([0x7b, 0xff, 0x7d])))).toBe('INVALID_MESSAGE');
  expect(codeOf(() => decodeBody(Buffer.from([0x82, 0xa1])))).toBe('INVALID_MESSAGE');
});

test('codec — a small gzip of something enormous is TOO_LARGE, before it fills the memory', () => {
  const bomb = gzipSync(Buffer.alloc(limits.bodyBytesMax + 1, 0x20), { level: 1 });
  expect(bomb.length).toBeLessThan(2_000_000);
  expect(
    codeOf(() =>
      decodeBody(bomb, reader({ 'Content-Encoding': 'gzip', 'Content-Type': 'application/json' })),
    ),
  ).toBe('TOO_LARGE');
});

test('codec — an empty body is an empty object', () => {
  expect(decodeBody(new Uint8Array(0))).toEqual({});
});

test('codec — no bytes make it throw anything but INVALID_MESSAGE or TOO_LARGE', () => {
  fc.assert(
    fc.property(
      rubbishBytes,
      fc.constantFrom<Record<string, string>>(
        {},
        { 'Content-Type': 'application/json' },
        { 'Content-Type': 'application/msgpack' },
        { 'Content-Encoding': 'gzip' },
      ),
      (bytes, headers) => {
        expect(['none', 'INVALID_MESSAGE', 'TOO_LARGE']).toContain(
          codeOf(() => decodeBody(bytes, reader(headers))),
        );
      },
    ),
    { numRuns: 500 },
  );
});
