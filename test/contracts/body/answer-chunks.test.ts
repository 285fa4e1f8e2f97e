/**
 * Answers in pieces: whole again whatever their size, bounded in memory, and no rubbish gets
 * through.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  acceptHeader,
  type AnswerMessage,
  fetchHeader,
  HeldAnswers,
  wholeAnswer,
} from '../../../contracts/body/answer-chunks.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { newUuid } from '../../../runtime/clock.ts';

function answerOf(data: Uint8Array, headers: Record<string, string>): AnswerMessage {
  return { data, headers: { get: (name) => headers[name] ?? '' } };
}

function held(nowMs = () => 0): HeldAnswers {
  return new HeldAnswers(nowMs, newUuid);
}

test('answer chunks — any bytes in pieces of any size come back whole, and nothing is kept of them (I9)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 2, maxLength: 400 }),
      fc.integer({ min: 1, max: 399 }),
      async (bytes, pieceBytes) => {
        fc.pre(pieceBytes < bytes.length);
        const answers = held();
        const { piece, headers } = answers.hold(bytes, pieceBytes);
        const whole = await wholeAnswer(answerOf(piece, headers), async (name, value) => {
          expect(name).toBe(fetchHeader);
          return answerOf(answers.piece(value), {});
        });
        expect(Buffer.from(whole.data).equals(Buffer.from(bytes))).toBe(true);
        expect(answers.bytes).toBe(0);
      },
    ),
  );
});

test('answer chunks — an answer without the headers is left as it is', async () => {
  const answer = answerOf(new Uint8Array([1]), {});
  expect(await wholeAnswer(answer, () => Promise.reject(new Error('asked')))).toBe(answer);
  expect(acceptHeader.value).toBe('chunks');
});

test('answer chunks — forgotten after a minute; above the bound OVERLOADED, above a body TOO_LARGE (I9)', () => {
  let nowMs = 0;
  const answers = held(() => nowMs);
  const large = new Uint8Array(limits.bodyBytesMax);
  const { headers } = answers.hold(large, 1024 * 1024);
  answers.hold(large, 1024 * 1024);
  expect(() => answers.hold(new Uint8Array(1), 1)).toThrow(
    expect.objectContaining({ code: 'OVERLOADED' }),
  );
  nowMs = limits.chunkTransferMs + 1;
  expect(() => answers.piece(`${headers['Tidemark-Transfer']} 1`)).toThrow(
    expect.objectContaining({ code: 'UNAVAILABLE' }),
  );
  expect(answers.bytes).toBe(0);
  expect(() => answers.hold(new Uint8Array(limits.bodyBytesMax + 1), 1024)).toThrow(
    expect.objectContaining({ code: 'TOO_LARGE' }),
  );
});

test('answer chunks — no fetch header makes it throw anything but our errors', () => {
  const answers = held();
  const { headers } = answers.hold(new Uint8Array(100), 10);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `${headers['Tidemark-Transfer']} ${text}`),
      ),
      (header) => {
        try {
          expect(answers.piece(header).length).toBeLessThanOrEqual(10);
        } catch (error) {
          expect(error).toBeInstanceOf(TidemarkError);
        }
      },
    ),
  );
});

test.each([
  ['one piece', { 'Tidemark-Transfer': newUuid(), 'Tidemark-Chunks': '1' }, 'INVALID_MESSAGE'],
  ['no number', { 'Tidemark-Transfer': newUuid(), 'Tidemark-Chunks': 'many' }, 'INVALID_MESSAGE'],
  [
    'a transfer that is none',
    { 'Tidemark-Transfer': 'x', 'Tidemark-Chunks': '2' },
    'INVALID_MESSAGE',
  ],
  [
    'a piece that is refused',
    { 'Tidemark-Transfer': newUuid(), 'Tidemark-Chunks': '2' },
    'UNAVAILABLE',
  ],
])('answer chunks — %s is an error to the asker', async (_what, headers, code) => {
  const refused = answerOf(new Uint8Array(), { 'Nats-Service-Error': 'forgotten' });
  await expect(
    wholeAnswer(answerOf(new Uint8Array([1]), headers), () => Promise.resolve(refused)),
  ).rejects.toMatchObject({ code });
});

test('answer chunks — a side that sends more than a body is left (I9)', async () => {
  const piece = new Uint8Array(limits.bodyBytesMax / 2);
  const headers = { 'Tidemark-Transfer': newUuid(), 'Tidemark-Chunks': '9' };
  await expect(
    wholeAnswer(answerOf(piece, headers), () => Promise.resolve(answerOf(piece, {}))),
  ).rejects.toMatchObject({ code: 'TOO_LARGE' });
});
