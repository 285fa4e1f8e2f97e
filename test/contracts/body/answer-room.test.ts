/** Answers to a list of writes: their room is known before, and reasons give way to it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  fittingReasons,
  insistOnAnswer,
  resultBytes,
} from '../../../contracts/body/answer-room.ts';
import { encodeBody } from '../../../contracts/body/codec.ts';
import { type TidemarkError, toRefusal } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { WriteReply } from '../../../contracts/reply.ts';

const stored: WriteReply = {
  Available: true,
  Success: true,
  Durability: 'applied',
  Seq: Number.MAX_SAFE_INTEGER,
  EventGUID: '5f0c3b0e-6f1e-4d63-9a5c-0a4a1f6b7c8d',
  Duplicate: false,
};
const refused = (Reason: string) => ({
  Available: false,
  Success: false,
  Code: 'INVALID_MESSAGE',
  Reason,
  RetryAfterMs: 4_294_967_295,
});

test('what is let through always has an answer that fits, in both encodings (I14)', () => {
  const reason = fc.string({
    unit: fc.constantFrom('a', 'é', '\u0001', '\u{1F600}', '"'),
    maxLength: 1_000,
  });
  const result = fc.oneof(fc.constant(stored), reason.map(refused));
  fc.assert(
    fc.property(fc.array(result, { maxLength: 60 }), fc.nat(30_000), (results, spareBytes) => {
      const roomBytes = 512 + results.length * resultBytes.write + spareBytes;
      insistOnAnswer(results.length, resultBytes.write, roomBytes);
      const answer = {
        Success: false,
        Results: fittingReasons(results, resultBytes.write, roomBytes),
      };
      for (const encoding of ['json', 'msgpack'] as const)
        expect(encodeBody(answer, encoding).length).toBeLessThanOrEqual(roomBytes);
    }),
  );
});

test('reasons that fit are whole', () => {
  const results = [stored, refused('a reason')];
  expect(fittingReasons(results, resultBytes.write, 2_000)).toBe(results);
});

test('who cannot be answered is told so before anything is stored, and how many would fit', () => {
  let error: TidemarkError | null = null;
  try {
    insistOnAnswer(2_000, resultBytes.write, 48 * 1024);
  } catch (thrown) {
    error = thrown as TidemarkError;
  }
  expect(error?.code).toBe('TOO_LARGE');
  const most = Number(/at most (\d+)/.exec(error?.message ?? '')?.[1]);
  expect(() => insistOnAnswer(most, resultBytes.write, 48 * 1024)).not.toThrow();
});

test('no sender makes a Reason larger than a message (I14)', () => {
  expect(toRefusal(new Error('x'.repeat(10_000_000))).Reason).toHaveLength(limits.refusalCharsMax);
});
