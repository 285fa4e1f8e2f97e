/** Integers in JSON and MessagePack: what would be rounded is refused, in both by one rule. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from '../../../contracts/body/exact-integers.ts';
import { decodeBody, encodeBody } from '../../../contracts/body/codec.ts';
import { decodeBatch, decodeBatchItem, decodeEnvelope } from '../../../contracts/envelope.ts';
import { messageOf } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../runtime/clock.ts';

const guid = '5f0c3b0e-6f1e-4d63-9a5c-0a4a1f6b7c8d';
/** A write whose Settings column holds this number, written as it stands here. */
const item = (digits: string) =>
  `{"Action":"QP_UpsertWorkItem","EventGUID":"${guid}","Settings":` +
  `{"WorkItem":{"WorkItemHash":"w","Settings":{"list":["${digits}",{"Ns":${digits}}]}}}}`;
const decode = (body: Uint8Array) => decodeEnvelope(decodeBody(body), 'queue', 'QP_UpsertWorkItem');
const refusal = (run: () => unknown): string => {
  try {
    run();
    return 'taken';
  } catch (error) {
    return messageOf(error);
  }
};

const rounded = [
  '9007199254740993',
  '-9007199254740993',
  '12345678901234567890',
  `1${'0'.repeat(30)}`,
];
const kept = ['9007199254740991', '9007199254740992', '100000000000000000000', '1e400', '-0'];

test.for(rounded)(
  '%s in JSON is refused with its path, where it was rounded silently (I14)',
  (digits) => {
    expect(refusal(() => decode(Buffer.from(item(digits))))).toBe(
      `Settings.WorkItem.Settings.list[1].Ns: the integer ${digits} would be rounded; ` +
        'beyond ±2^53 send it as text',
    );
  },
);

test.for(['9007199254740993', '12345678901234567890'])(
  '%s in MessagePack is refused by the same words',
  (digits) => {
    const body = JSON.parse(item('0')) as { Settings: { WorkItem: { Settings: object } } };
    body.Settings.WorkItem.Settings = { list: ['', { Ns: BigInt(digits) }] };
    expect(refusal(() => decode(encodeBody(body, 'msgpack')))).toContain(
      `Settings.WorkItem.Settings.list[1].Ns: the integer ${digits} would be rounded`,
    );
  },
);

test.for(kept.filter((digits) => digits !== '1e400'))(
  '%s is read back as it was written, so it is taken',
  (digits) => {
    expect(refusal(() => decode(Buffer.from(item(digits))))).toBe('taken');
  },
);

test('of a batch only the item with the integer is refused', () => {
  const body = decodeBody(Buffer.from(`{"Items":[${item('1')},${item('9007199254740993')}]}`));
  expect(
    decodeBatch(body).map((one, at) =>
      refusal(() => decodeBatchItem(one, 'queue', `Items[${at}]`)),
    ),
  ).toEqual(['taken', expect.stringContaining('Items[1].Settings.WorkItem.Settings.list[1].Ns')]);
});

test('any JSON is parsed as JSON.parse does, but for integers that it rounds', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('"', '\\', '\\"', ',', ':12345678901234567890', '__proto__'),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
      fc.constantFrom(null, true),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'a"b\\')), tie('any'), {
        maxKeys: 4,
      }),
    ),
  })).any;
  fc.assert(
    fc.property(value, fc.constantFrom('', ' ', '\n\t'), (given, blank) => {
      const text = written(given, blank);
      const plain: unknown = JSON.parse(text);
      const read = parseJson(text);
      expect(written(read, blank).replaceAll('-0', '0')).toBe(text.replaceAll('-0', '0'));
      if (JSON.stringify(plain) === text) expect(read).toEqual(plain);
    }),
    { numRuns: 500 },
  );
});

/** JSON with big integers in their digits. */
function written(value: unknown, blank: string): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value))
    return `[${value.map((one) => blank + written(one, blank)).join(`${blank},`)}]`;
  const members = Object.entries(value).map(
    ([name, one]) => `${JSON.stringify(name)}${blank}:${blank}${written(one, blank)}`,
  );
  return `{${members.join(',')}}`;
}

test('a name that stands twice, as JSON.parse has it', () => {
  expect(parseJson('{"a":[9007199254740993],"a":1}')).toEqual({ a: 1 });
  expect(refusal(() => JSON.stringify(parseJson('9007199254740993')))).toMatch(/BigInt/);
});

test('two million of them cost no more than a multiple of parsing, and are bounded (I14)', () => {
  const many = (digits: string) => `[${Array.from({ length: 1_900_000 }, () => digits).join()}]`;
  const exact = many('1234567890123456');
  const startedMs = systemClock.monotonicMs();
  JSON.parse(exact);
  const plainMs = systemClock.monotonicMs() - startedMs;
  expect((parseJson(exact) as unknown[]).length).toBe(1_900_000);
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(1_000 + 8 * plainMs);
  expect(refusal(() => parseJson(many('9007199254740993')))).toBe(
    `body: over ${limits.longIntegersMax} integers beyond ±2^53, which would be rounded`,
  );
});
