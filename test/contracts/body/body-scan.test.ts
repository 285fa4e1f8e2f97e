/** What is refused by its bytes, before anything is built of them (I14). */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { scanJson, scanMessagePack } from '../../../contracts/body/body-scan.ts';
import { decodeBody } from '../../../contracts/body/codec.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { toJsonValue } from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';

const gzipped = { get: (name: string) => (name === 'Content-Encoding' ? 'gzip' : '') };

function refusalOf(run: () => unknown): string {
  try {
    run();
    return 'taken';
  } catch (error) {
    return error instanceof TidemarkError ? error.code : `not ours: ${String(error)}`;
  }
}

test('I14 — shared references in MessagePack, 2^30 values in 400 bytes, are refused', () => {
  const packr = new Packr({ useRecords: false, structuredClone: true, moreTypes: true });
  let doubled: unknown = { a: 1 };
  for (let level = 0; level < 30; level += 1) doubled = [doubled, doubled];
  const body = packr.pack({ EventGUID: 'g', Settings: { WorkItem: doubled } });
  expect(body.length).toBeLessThan(500);
  expect(refusalOf(() => decodeBody(body))).toBe('INVALID_MESSAGE');
});

test('I14 — what a few kilobytes of gzip unpack to is bounded in values, in both encodings', () => {
  const json = gzipSync(`[${'[],'.repeat(limits.bodyValuesMax)}1]`);
  const packed = gzipSync(
    Buffer.concat([Buffer.from([0xdd, 0, 0x40, 0, 0]), Buffer.alloc(0x400000, 0x90)]),
  );
  for (const body of [json, packed]) {
    expect(body.length).toBeLessThan(64 * 1024);
    expect(refusalOf(() => decodeBody(body, gzipped))).toBe('TOO_LARGE');
  }
});

test('I14 — deep nesting is refused before it is built', () => {
  const deep = limits.bodyDepthMax + 1;
  const packed = Buffer.concat([Buffer.alloc(deep, 0x91), Buffer.from([0xc0])]);
  expect(refusalOf(() => scanMessagePack(packed))).toBe('INVALID_MESSAGE');
  expect(refusalOf(() => scanMessagePack(packed.subarray(1)))).toBe('taken');
  expect(refusalOf(() => scanJson(Buffer.from('['.repeat(deep))))).toBe('INVALID_MESSAGE');
});

test('I14 — lengths that lie about what follows are refused, not allocated', () => {
  for (const first of [0xc6, 0xc9, 0xdb, 0xdd, 0xdf])
    expect(refusalOf(() => scanMessagePack(Buffer.from([first, 0xff, 0xff, 0xff, 0xff])))).toBe(
      'INVALID_MESSAGE',
    );
  expect(refusalOf(() => scanMessagePack(new Uint8Array()))).toBe('INVALID_MESSAGE');
  expect(refusalOf(() => scanMessagePack(Buffer.from([0xc1])))).toBe('INVALID_MESSAGE');
});

test('everything JSON can say is let through, with dates and undefined', () => {
  const packr = new Packr({ useRecords: false });
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      scanMessagePack(packr.pack(value));
      scanJson(Buffer.from(JSON.stringify(value)));
    }),
  );
  for (const value of [new Date(0), new Date(1e13 + 1), undefined, 2 ** 53, -1, 0.5, true])
    scanMessagePack(packr.pack({ value }));
});

test('no bytes make the scan throw anything but a refusal, nor read them twice', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(refusalOf(() => scanMessagePack(bytes))).toMatch(/^(taken|INVALID_MESSAGE)$/);
    }),
    { numRuns: 2_000 },
  );
});

test('strings count as one value each, whatever stands in them', () => {
  const text = '[,]{,}"\\'.repeat(50);
  const json = JSON.stringify(Array.from({ length: 20 }, () => text));
  const valuesMax = limits.bodyValuesMax;
  Object.assign(limits, { bodyValuesMax: 21 });
  try {
    expect(refusalOf(() => scanJson(Buffer.from(json)))).toBe('taken');
    expect(refusalOf(() => scanJson(Buffer.from(json.replace('[', '[0,'))))).toBe('TOO_LARGE');
  } finally {
    Object.assign(limits, { bodyValuesMax: valuesMax });
  }
});

test('I14 — a member called __proto__ stays a member and pollutes nothing', () => {
  const value = toJsonValue(JSON.parse('{"__proto__":{"polluted":null},"n":1}'), 'body');
  expect(JSON.stringify(value)).toBe('{"__proto__":{"polluted":null},"n":1}');
  const made = toJsonValue({ ['__proto__']: new Date(0) }, 'body') as object;
  expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
  expect(Object.hasOwn(made, '__proto__')).toBe(true);
});
