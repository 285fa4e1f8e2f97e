/**
 * Which batches the mark row of a database lets in: those that build on it, and nothing that is
 * late or hides a gap.
 */
import { expect, test } from 'vitest';
import { insistOnMark, markAfter } from '../../../beacon/engine/mark-rule.ts';

const at = (Epoch: string, Seq: number) => ({ Epoch, Seq, UpdatedAt: '' });
type Batch = Parameters<typeof insistOnMark>[0];

const cases: [what: string, batch: Batch, stored: ReturnType<typeof at> | null, isIn: boolean][] = [
  ['the first batch ever', { epoch: 'e1', afterEpoch: '', afterSeq: 0 }, null, true],
  ['the next one', { epoch: 'e1', afterEpoch: 'e1', afterSeq: 10 }, at('e1', 10), true],
  [
    'the same again, its answer was lost',
    { epoch: 'e1', afterEpoch: 'e1', afterSeq: 10 },
    at('e1', 20),
    true,
  ],
  [
    'one made ready before the first was answered',
    { epoch: 'e1', afterEpoch: '', afterSeq: 0 },
    at('e1', 10),
    true,
  ],
  [
    'one of a new epoch that saw the mark of the old',
    { epoch: 'e2', afterEpoch: 'e1', afterSeq: 20 },
    at('e1', 20),
    true,
  ],
  [
    'a database that went back in time',
    { epoch: 'e1', afterEpoch: 'e1', afterSeq: 20 },
    at('e1', 10),
    false,
  ],
  [
    'one that went back before its first mark',
    { epoch: 'e1', afterEpoch: 'e1', afterSeq: 20 },
    null,
    false,
  ],
  [
    'one that went back to another epoch',
    { epoch: 'e2', afterEpoch: 'e2', afterSeq: 30 },
    at('e1', 20),
    false,
  ],
  [
    'one that went back under a new epoch that is not there yet',
    { epoch: 'e2', afterEpoch: 'e1', afterSeq: 20 },
    at('e1', 10),
    false,
  ],
  [
    'a first batch that is late: another epoch has begun since (I4)',
    { epoch: 'e1', afterEpoch: '', afterSeq: 0 },
    at('e2', 20),
    false,
  ],
  [
    'any batch that is late (I4)',
    { epoch: 'e1', afterEpoch: 'e1', afterSeq: 10 },
    at('e2', 20),
    false,
  ],
  ['a sender that says nothing of epochs, at the beginning', { epoch: 'e1' }, at('e0', 5), true],
  [
    'a sender that says nothing of epochs, behind a gap',
    { epoch: 'e1', afterSeq: 20 },
    at('e1', 10),
    false,
  ],
];

test.each(cases)('%s', (_what, batch, stored, isIn) => {
  const ask = () => insistOnMark(batch, stored);
  if (isIn) expect(ask).not.toThrow();
  else expect(ask).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
});

test('a batch below the mark leaves its Seq; only one that begins an epoch changes the row (I4, I5)', () => {
  const batch = {
    hubId: 'h',
    lane: 'queue' as const,
    throughSeq: 3,
    isBelowMark: true,
    afterSeq: 10,
    mutations: [],
    defaults: new Map(),
    now: 'now',
  };
  const stored = at('e1', 10);
  expect(markAfter({ ...batch, epoch: 'e2', afterEpoch: 'e1' }, stored)).toEqual({
    Epoch: 'e2',
    Seq: 10,
    UpdatedAt: 'now',
  });
  expect(markAfter({ ...batch, epoch: 'e1', afterEpoch: 'e1' }, stored)).toBe(stored);
  expect(markAfter({ ...batch, epoch: 'e2', afterEpoch: undefined }, stored)).toBe(stored);
  expect(markAfter({ ...batch, epoch: 'e2', afterEpoch: '' }, null)).toBeNull();
});
