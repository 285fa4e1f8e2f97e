/** Which Seqs can be a store's own, by what store.json remembers of its starts. */
import { expect, test } from 'vitest';
import { limits } from '../../contracts/limits.ts';
import { ownSeqs, type Remembered } from '../../worker/state/identity-file.ts';

const start = 1_795_000_000_000_000;
const remembered: Remembered = {
  Store: 's', Epoch: 'e', Hub: 'h', IsClean: false, Head: { Queue: 0, Manifest: 0 }, Accepted: { Queue: 90, Manifest: 10 }, Mark: { Queue: 0, Manifest: 0 },
  Pending: { Queue: 0, Manifest: 0 }, Starts: [start + 60_000_000, start], Db: null, Wal: null, WrittenAt: '',
};

test('a Seq behind one of the starts, no further than was ever accepted, is the store’s own; others are of another file (D11)', () => {
  const isOwn = ownSeqs(remembered);
  expect([start, start + 99, start + 60_000_000, start + 60_000_050].map((seq) => isOwn?.(seq))).toEqual([true, true, true, true]);
  expect([1, start - 1, start + 30_000_000, start + 59_999_999, start + 90_000_000].map((seq) => isOwn?.(seq))).toEqual([false, false, false, false, false]);
  expect(isOwn?.(start + 60_000_000 + 100 + limits.unrememberedSeqsMax)).toBe(true);
});

test('where starts were forgotten, what lies before the oldest remembered one cannot be told and is taken', () => {
  const Starts = Array.from({ length: limits.startsRemembered }, (_, n) => start + n * 10_000_000);
  expect(ownSeqs({ ...remembered, Starts })?.(start - 5)).toBe(true);
  expect(ownSeqs({ ...remembered, Starts: [] })).toBeNull();
  expect(ownSeqs(null)).toBeNull();
});
