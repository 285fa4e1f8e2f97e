/** What the results of a batch mean for each of its entries (I5). */
import { expect, test } from 'vitest';
import type { MutationResult } from '../../contracts/mutation.ts';
import { reasonOf, refusedKeys, settle } from '../../hwm/settlement.ts';

const sent = (...seqs: number[]) => ({ key: `k${seqs[0]}`, seqs });
const rejected: MutationResult = { Outcome: 'rejected', Reason: 'too long' };

test('applied, already present and not found are settled, each entry of a folded write counted (I10)', () => {
  expect(
    settle(
      [sent(1, 4), sent(2), sent(3)],
      [{ Outcome: 'applied' }, { Outcome: 'already-present' }, { Outcome: 'not-found' }],
      [],
    ),
  ).toEqual({ applied: 2, present: 2, superseded: [], blocked: [] });
});

test('a refused write of one entry is a dead letter, one of several entries is parked to be tried one by one', () => {
  expect(
    settle(
      [sent(1), sent(2, 5)],
      [rejected, { Outcome: 'conflict', Reason: 'says otherwise' }],
      [],
    ),
  ).toEqual({
    applied: 0,
    present: 0,
    superseded: [],
    blocked: [
      { seq: 1, key: 'k1', state: 'dead', reason: 'rejected: too long' },
      { seq: 2, key: 'k2', state: 'parked', reason: null },
      { seq: 5, key: 'k2', state: 'parked', reason: null },
    ],
  });
});

test('what was not sent, or left out for its key, is parked; all that is held comes in the order of Seq (I7)', () => {
  const verdict = settle(
    [sent(3), sent(6)],
    [rejected, null],
    [
      { seq: 5, key: 'x' },
      { seq: 1, key: 'x' },
    ],
  );
  expect(verdict.blocked.map((one) => [one.seq, one.state])).toEqual([
    [1, 'parked'],
    [3, 'dead'],
    [5, 'parked'],
    [6, 'parked'],
  ]);
});

test('every entry is counted or held, exactly once (I5, I10)', () => {
  const outcomes: (MutationResult | null)[] = [
    { Outcome: 'applied' },
    { Outcome: 'already-present' },
    { Outcome: 'not-found' },
    rejected,
    { Outcome: 'conflict' },
    null,
  ];
  for (const one of outcomes) {
    for (const seqs of [[1], [1, 2, 3]]) {
      const { applied, present, blocked } = settle([{ key: 'k', seqs }], [one], []);
      expect(applied + present + blocked.length).toBe(seqs.length);
    }
  }
});

test('refused keys are those of refusals, not of silence', () => {
  expect([
    ...refusedKeys(
      [sent(1), sent(2), sent(3), sent(4)],
      [rejected, { Outcome: 'applied' }, null, { Outcome: 'conflict' }],
    ),
  ]).toEqual(['k1', 'k4']);
});

test('a refusal without a reason says so', () => {
  expect(reasonOf({ Outcome: 'conflict' })).toBe('conflict: no reason given');
});

test('what a later owner’s row stands in the place of is settled, and counted apart (I10, I11)', () => {
  expect(
    settle([sent(1, 4), sent(2)], [{ Outcome: 'superseded' }, { Outcome: 'applied' }], []),
  ).toEqual({
    applied: 1,
    present: 0,
    superseded: [
      { seq: 1, key: 'k1' },
      { seq: 4, key: 'k1' },
    ],
    blocked: [],
  });
});
