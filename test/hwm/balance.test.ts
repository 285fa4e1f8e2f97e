/** The sums of a lane: what is pending from the counts, and the difference that must be zero (I10). */
import { expect, test } from 'vitest';
import { balanceOf, pendingOf } from '../../hwm/balance.ts';

const entries = { accepted: 100, stripped: 30 };
const mark = { applied: 38, present: 5, superseded: 2, skipped: 3 };

test('without a mark everything that still has its body is pending (I10)', () => {
  expect(pendingOf(entries, null, 0)).toBe(70);
  expect(balanceOf(entries, null, { pending: 70, givenUp: 0 })).toEqual({
    Accepted: 100,
    Applied: 0,
    AlreadyPresent: 0,
    Superseded: 0,
    Pending: 70,
    DeadLettered: 0,
    Skipped: 30,
    Difference: 0,
  });
});

test('with a mark pending is what is neither settled nor given up (I10)', () => {
  expect(pendingOf(entries, mark, 2)).toBe(50);
});

test('a difference shows when counting gives another number than the counts (I10)', () => {
  expect(balanceOf(entries, mark, { pending: 50, givenUp: 2 }).Difference).toBe(0);
  expect(balanceOf(entries, mark, { pending: 49, givenUp: 2 }).Difference).toBe(1);
});
