/**
 * Which batches the mark row of a database lets in: those that build on it, and nothing that is
 * late or hides a gap.
 */
import { expect, test } from 'vitest';
import { insistOnMark, markAfter } from '../../../beacon/engine/mark-rule.ts';

const at = (Epoch: string, Seq: number) => ({ Epoch, Seq, UpdatedAt: '' });
type Built = Parameters<typeof insistOnMark>[0];
type Batch = Pick<Built, 'epoch' | 'afterEpoch' | 'afterSeq'>;

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
  const mutations = [{ Op: 'write', Table: 't', Key: {}, Set: {}, Seq: 99 } as const];
  const ask = () =>
    insistOnMark({ throughSeq: 99, isBelowMark: false, mutations, ...batch }, stored);
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

const forged = 2 ** 53 - 2;
const atEnd = { epoch: 'e1', afterEpoch: 'e1', afterSeq: 10 };
test.each<
  [what: string, batch: Partial<Built>, stored: ReturnType<typeof at> | null, isIn: boolean]
>([
  [
    'a batch of nothing that knows no mark',
    { epoch: 'e1', throughSeq: forged },
    at('e1', 10),
    false,
  ],
  ['a batch of nothing in a new epoch', { epoch: 'e2', throughSeq: forged }, at('e1', 10), false],
  [
    'one that knows the epoch alone',
    { ...atEnd, afterSeq: 9, throughSeq: forged },
    at('e1', 10),
    false,
  ],
  [
    'one that knows the Seq alone',
    { epoch: 'e2', afterSeq: 10, throughSeq: 11 },
    at('e1', 10),
    false,
  ],
  ['one that knows the mark', { ...atEnd, throughSeq: 12 }, at('e1', 10), true],
  ['the first one, of nothing', { epoch: 'e1', throughSeq: 12 }, null, true],
  ['the same again: it moves nothing', { ...atEnd, throughSeq: 12 }, at('e1', 12), true],
  [
    'one below the mark, whatever it says',
    { ...atEnd, throughSeq: forged, isBelowMark: true },
    at('e1', 10),
    true,
  ],
])(
  'a mark beyond what a batch did needs who knows where it is: %s (I5, I14)',
  (_what, batch, stored, isIn) => {
    const ask = () =>
      insistOnMark(
        { epoch: '', throughSeq: 0, isBelowMark: false, mutations: [], ...batch },
        stored,
      );
    if (isIn) expect(ask).not.toThrow();
    else expect(ask).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
  },
);
