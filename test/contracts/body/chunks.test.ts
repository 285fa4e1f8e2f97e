/** Cutting bodies into chunks and putting them together again, in any order, within bounds. */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  assertKept,
  ChunkAssembler,
  type ChunkBody,
  senderOf,
  splitIntoChunks,
} from '../../../contracts/body/chunks.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { rubbish } from '../../kit/arbitraries.ts';
import { guidOf } from '../../kit/rows/trace.ts';

const chunksOf = (name: string, pieces: Uint8Array[], more: Partial<ChunkBody> = {}): ChunkBody[] =>
  pieces.map((Data, Index) => ({
    Transfer: guidOf(name),
    Index,
    Count: pieces.length,
    Data,
    Action: 'MS_UpsertManifest',
    ...more,
  }));

const chunk = (more: object): object => ({
  Transfer: guidOf('one'),
  Index: 0,
  Count: 2,
  Data: new Uint8Array(3),
  Action: 'batch',
  ...more,
});

function refusal(run: () => unknown): TidemarkError {
  try {
    run();
  } catch (error) {
    if (error instanceof TidemarkError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

test('chunks — any bytes cut at any size and sent in any order, some twice, come out whole, once', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc.integer({ min: 2, max: 100 }),
      fc.infiniteStream(fc.nat()),
      (bytes, payloadBytesMax, random) => {
        const assembler = new ChunkAssembler(() => 0);
        const chunks = chunksOf('whole', splitIntoChunks(bytes, payloadBytesMax), {
          ContentEncoding: 'gzip',
          ContentType: 'application/json',
        });
        const repeated = chunks.slice(1, 3);
        const order = [...repeated, ...chunks]
          .map((one) => ({ one, at: random.next().value }))
          .sort((one, other) => one.at - other.at)
          .map(({ one }) => one);
        const wholes = order.map((one) => assembler.add(one)).filter((result) => result.done);
        expect(wholes.length).toBeGreaterThan(0);
        expect(wholes[0]).toMatchObject({ action: 'MS_UpsertManifest' });
        expect(Buffer.from(wholes[0]?.done ? wholes[0].body : [])).toEqual(Buffer.from(bytes));
        expect(wholes[0]?.done && wholes[0].headers.get('Content-Encoding')).toBe('gzip');
        expect(wholes[0]?.done && wholes[0].headers.get('content-type')).toBe('application/json');
      },
    ),
    { numRuns: 300 },
  );
});

test('chunks — pieces fit into a message with room for its headers', () => {
  for (const payloadBytesMax of [1_048_576, limits.busPayloadBytesMax, 64 * 1024]) {
    const pieces = splitIntoChunks(new Uint8Array(20_000_000), payloadBytesMax);
    expect(
      Math.max(...pieces.map((piece) => piece.length)) + limits.chunkOverheadBytes,
    ).toBeLessThanOrEqual(payloadBytesMax);
    expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(20_000_000);
  }
});

test('chunks — each is answered with how many distinct ones are there; in JSON data may be base64', () => {
  const assembler = new ChunkAssembler(() => 0);
  expect(assembler.add(chunk({ Data: Buffer.from('abc').toString('base64') }))).toEqual({
    done: false,
    received: 1,
  });
  expect(assembler.add(chunk({}))).toEqual({ done: false, received: 1 });
  const last = assembler.add(chunk({ Index: 1, Data: Buffer.from('de') }));
  expect(last.done && Buffer.from(last.body).toString()).toBe('abcde');
  expect(assembler.pending).toBe(0);
});

test('chunks — a sender of the bare contract shape, without Action and headers, is understood, zipped or not', () => {
  const assembler = new ChunkAssembler(() => 0);
  const bare = (Data: Uint8Array) => ({ Transfer: guidOf('bare'), Index: 0, Count: 1, Data });
  const zipped = assembler.add(bare(gzipSync('{}')));
  expect(zipped.done && zipped.headers.get('Content-Encoding')).toBe('gzip');
  const plain = assembler.add(bare(Buffer.from('{}')));
  expect(
    plain.done && [
      plain.action,
      plain.headers.get('Content-Encoding'),
      plain.headers.get('Content-Type'),
    ],
  ).toEqual(['', '', '']);
});

test("chunks — the bytes are copied, for the buffer is the bus client's", () => {
  const assembler = new ChunkAssembler(() => 0);
  const data = Buffer.from('abc');
  assembler.add(chunk({ Data: data }));
  data.fill(0);
  const last = assembler.add(chunk({ Index: 1, Data: Buffer.from('d') }));
  expect(last.done && Buffer.from(last.body).toString()).toBe('abcd');
});

test.for<[object, string]>([
  [{ Transfer: 'x' }, 'Transfer'],
  [{ Index: 2 }, 'Index'],
  [{ Index: -1 }, 'Index'],
  [{ Count: 0 }, 'Count'],
  [{ Count: 10 ** 9 }, 'Count'],
  [{ Data: 7 }, 'Data'],
  [{ Data: '' }, 'Data'],
  [{ Action: 7 }, 'Action'],
  [{ Action: 'chunk' }, 'Action'],
  [{ ContentType: 7 }, 'ContentType'],
  [{ ContentEncoding: {} }, 'ContentEncoding'],
])('chunks — %o is refused as %s', ([part, field]) => {
  const error = refusal(() => new ChunkAssembler(() => 0).add(chunk(part)));
  expect(error.code).toBe('INVALID_MESSAGE');
  expect(error.message.split(':')[0]).toBe(field);
});

test.for<[object, string]>([
  [{ Count: 3 }, 'Count'],
  [{ Action: 'QP_AppendEvent' }, 'Action'],
  [{ ContentType: 'application/json' }, 'ContentType'],
])(
  'chunks — a chunk that contradicts the first one (%o) is refused, and its transfer forgotten',
  ([part, field]) => {
    const assembler = new ChunkAssembler(() => 0);
    assembler.add(chunk({}));
    expect(refusal(() => assembler.add(chunk({ Index: 1, ...part }))).message.split(':')[0]).toBe(
      field,
    );
    expect(assembler.pending).toBe(0);
  },
);

test('chunks — over 64 MiB in all is TOO_LARGE, and the memory is let go (I9)', () => {
  const assembler = new ChunkAssembler(() => 0);
  const Data = new Uint8Array(limits.bodyBytesMax / 2);
  assembler.add(chunk({ Count: 4, Data }));
  assembler.add(chunk({ Count: 4, Index: 1, Data }));
  expect(
    refusal(() => assembler.add(chunk({ Count: 4, Index: 2, Data: new Uint8Array(1) }))),
  ).toMatchObject({ code: 'TOO_LARGE' });
  expect(assembler.pending).toBe(0);
});

test('chunks — too many half-sent transfers are OVERLOADED; after a minute they are forgotten (I9)', () => {
  let nowMs = 0;
  const assembler = new ChunkAssembler(() => nowMs);
  for (let i = 0; i < limits.chunkTransfersMax; i++)
    assembler.add(chunk({ Transfer: guidOf(`t${i}`) }), `sender ${i}`);
  expect(refusal(() => assembler.add(chunk({ Transfer: guidOf('more') })))).toMatchObject({
    code: 'OVERLOADED',
    retryAfterMs: limits.overloadedRetryMs,
  });
  nowMs = limits.chunkTransferMs + 1;
  expect(assembler.add(chunk({ Transfer: guidOf('more') }))).toEqual({ done: false, received: 1 });
  expect(assembler.pending).toBe(1);
});

test('chunks — no rubbish makes the assembler throw anything but our errors, nor hold more than its bound (I9)', () => {
  const assembler = new ChunkAssembler(() => 0);
  const strange = fc.oneof(
    rubbish,
    fc.record({
      Transfer: fc.oneof(fc.uuid(), rubbish),
      Index: fc.oneof(fc.nat(3), rubbish),
      Count: fc.oneof(fc.nat(3), rubbish),
      Data: fc.oneof(fc.uint8Array(), rubbish),
      Action: fc.oneof(fc.constant('batch'), rubbish),
    }),
  );
  fc.assert(
    fc.property(strange, (body) => {
      try {
        assembler.add(body);
      } catch (error) {
        expect(['INVALID_MESSAGE', 'TOO_LARGE', 'OVERLOADED']).toContain(
          (error as TidemarkError).code,
        );
      }
      expect(assembler.pending).toBeLessThanOrEqual(limits.chunkTransfersMax);
    }),
    { numRuns: 1_000 },
  );
});

test('chunks — one sender’s half-sent transfers keep nobody else out (I14)', () => {
  let nowMs = 0;
  const assembler = new ChunkAssembler(() => nowMs);
  const half = () => chunk({ Transfer: randomUUID() });
  for (let i = 0; i < limits.chunkSenderTransfersMax; i++) assembler.add(half(), 'greedy');
  expect(refusal(() => assembler.add(half(), 'greedy'))).toMatchObject({ code: 'OVERLOADED' });
  for (const one of chunksOf('other', [new Uint8Array(9), new Uint8Array(9)]))
    assembler.add(one, 'other');
  expect(assembler.pending).toBe(limits.chunkSenderTransfersMax);
  nowMs = limits.chunkIdleMs;
  expect(assembler.add(half(), 'greedy')).toEqual({ done: false, received: 1 });
  expect(assembler.pending).toBe(limits.chunkSenderTransfersMax);
});

test('chunks — under many names, what lies idle makes room; the one that goes on is kept (I14)', () => {
  let nowMs = 0;
  const assembler = new ChunkAssembler(() => nowMs);
  const going = chunksOf(
    'going',
    Array.from({ length: 4 }, () => new Uint8Array(9)),
  );
  assembler.add(going[0], 'hub');
  for (let i = 1; i < limits.chunkTransfersMax; i++)
    assembler.add(chunk({ Transfer: randomUUID() }), `name ${i}`);
  nowMs = limits.chunkIdleMs;
  assembler.add(going[1], 'hub');
  for (let i = 0; i < 20; i++) assembler.add(chunk({ Transfer: randomUUID() }), `more ${i}`);
  assembler.add(going[2], 'hub');
  expect(assembler.add(going[3], 'hub')).toMatchObject({ done: true });
});

test('chunks — bytes are bounded, in all and of one sender (I9)', () => {
  const assembler = new ChunkAssembler(() => 0);
  const Data = new Uint8Array(32 * 1024 * 1024);
  const add = (sender: string) =>
    assembler.add(chunk({ Transfer: randomUUID(), Count: 3, Data }), sender);
  for (let i = 0; i < limits.chunkSenderBytesMax / Data.length; i++) add('one');
  expect(refusal(() => add('one'))).toMatchObject({ code: 'OVERLOADED' });
  const rest = (limits.chunkBytesMax - limits.chunkSenderBytesMax) / Data.length;
  for (let i = 0; i < rest; i++) add('two');
  expect(refusal(() => add('three'))).toMatchObject({ code: 'OVERLOADED' });
});

test('chunks — senders are told apart by their inbox; a sender notices that it was forgotten', () => {
  expect(senderOf('_INBOX.abc.7')).toBe('_INBOX.abc');
  expect(senderOf('_INBOX')).toBe('');
  expect(senderOf(undefined)).toBe('');
  expect(() => assertKept({ Success: true, Received: 2 }, 1, 3)).not.toThrow();
  expect(() => assertKept({ Success: true, Seq: 7 }, 2, 3)).not.toThrow();
  expect(refusal(() => assertKept({ Success: true, Received: 1 }, 1, 3)).code).toBe('UNAVAILABLE');
  expect(refusal(() => assertKept({ Success: true, Received: 3 }, 2, 3)).code).toBe('UNAVAILABLE');
});
