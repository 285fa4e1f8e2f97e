/**
 * Folding against a model of rows: applying the folded list must be applying every mutation in
 * order.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { composeWrites, foldBatch, type Keyed, rowKeyOf } from '../../bridges/fold.ts';
import type { RowMutation } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';

type ModelRow = {
  columns: Map<string, Scalar>;
  extra: Map<string, unknown>;
  isDeleted: boolean;
  seq: number;
};
type Model = Map<string, ModelRow>;

/** One mutation by the words of the contract; shares nothing with bridges/. */
function applyTo(model: Model, mutation: RowMutation): void {
  const id = JSON.stringify([mutation.Table, mutation.Key]);
  const there = model.get(id);
  if (there && there.seq >= mutation.Seq) return;
  if (mutation.Op === 'insert' && there) return;
  if (mutation.Op === 'delete') {
    if (there) model.set(id, { ...there, isDeleted: true, seq: mutation.Seq });
    return;
  }
  const columns = new Map(there?.columns);
  for (const [name, value] of Object.entries(mutation.Set)) columns.set(name, value);
  for (const [name, value] of Object.entries(mutation.Fill ?? {})) {
    const now = columns.get(name) ?? null;
    if (now === null || now === '' || now === 0 || now === false) columns.set(name, value);
  }
  const extra = new Map(there?.extra);
  for (const [name, value] of Object.entries(mutation.Merge?.['Extra'] ?? {}))
    extra.set(name, value);
  model.set(id, { columns, extra, isDeleted: false, seq: mutation.Seq });
}

const value = fc.constantFrom<Scalar>(null, '', 'x', 'y', 0, 1, false, true);
const columns = fc.dictionary(fc.constantFrom('A', 'B', 'C'), value, { maxKeys: 3 });
type Draft = {
  op: RowMutation['Op'];
  key: string;
  row: string;
  set: Record<string, Scalar>;
  fill: Record<string, Scalar>;
  extra: Record<string, number>;
  user: string | null;
};
const draft: fc.Arbitrary<Draft> = fc.record({
  op: fc.oneof(
    { arbitrary: fc.constant<RowMutation['Op']>('write'), weight: 6 },
    { arbitrary: fc.constantFrom<RowMutation['Op']>('insert', 'delete'), weight: 1 },
  ),
  key: fc.constantFrom('k', 'l'),
  row: fc.constantFrom('1', '2'),
  set: columns,
  fill: columns,
  extra: fc.dictionary(fc.constantFrom('p', 'q'), fc.nat({ max: 3 })),
  user: fc.oneof(fc.constant(null), fc.constant('ops')),
});

function mutationOf(one: Draft, seq: number): Keyed {
  // Fill and Set of one write never name the same column, as the projection makes them.
  const fill = Object.fromEntries(Object.entries(one.fill).filter(([name]) => !(name in one.set)));
  return {
    key: one.key,
    mutation: {
      Op: one.op,
      Table: 'T',
      Key: { HubID: 'h', K: one.key, N: one.row },
      Seq: seq,
      Set: one.op === 'delete' ? {} : one.set,
      ...(one.op === 'write' ? { Fill: fill, Merge: { Extra: one.extra } } : {}),
      ...(one.user ? { RemoteUser: one.user } : {}),
    },
  };
}

const drafts = fc.array(draft, { minLength: 1, maxLength: 15 });

function applied(mutations: readonly RowMutation[], model: Model = new Map()): Model {
  for (const one of mutations) applyTo(model, one);
  return model;
}

describe('folding', () => {
  test.each([true, false])(
    'a folded list does what the list does, one by one (I8), isAtomic %s',
    (isAtomic) => {
      fc.assert(
        fc.property(drafts, drafts, (before, list) => {
          const first = before.map((one, at) => mutationOf(one, at + 1));
          const writes = list.map((one, at) => mutationOf(one, before.length + at + 1));
          const base = () => applied(first.map((one) => one.mutation));
          const folded = foldBatch(writes, isAtomic);
          expect(
            applied(
              folded.map((one) => one.mutation),
              base(),
            ),
          ).toEqual(
            applied(
              writes.map((one) => one.mutation),
              base(),
            ),
          );
          expect(folded.flatMap((one) => one.seqs).toSorted((a, b) => a - b)).toEqual(
            writes.map((one) => one.mutation.Seq),
          );
        }),
        { numRuns: 1_000 },
      );
    },
  );

  test('sent again in other pieces, as after a lost answer, it changes nothing (I8)', () => {
    fc.assert(
      fc.property(drafts, fc.nat(), (list, cut) => {
        const writes = list.map((one, at) => mutationOf(one, at + 1));
        const lost = foldBatch(writes.slice(0, cut % (writes.length + 1)), true);
        const whole = foldBatch(writes, true);
        const twice = applied([...lost, ...whole].map((one) => one.mutation));
        expect(twice).toEqual(applied(writes.map((one) => one.mutation)));
      }),
      { numRuns: 500 },
    );
  });

  test('without transactions only neighbours of a key are folded, so that each key keeps its order (I7)', () => {
    fc.assert(
      fc.property(drafts, (list) => {
        const writes = list.map((one, at) => mutationOf(one, at + 1));
        const folded = foldBatch(writes, false);
        for (const key of ['k', 'l']) {
          const seqs = folded.filter((one) => one.key === key).flatMap((one) => one.seqs);
          expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  test('events and removals are never folded away', () => {
    fc.assert(
      fc.property(drafts, fc.boolean(), (list, isAtomic) => {
        const writes = list.map((one, at) => mutationOf(one, at + 1));
        const count = (mutations: RowMutation[]) =>
          mutations.filter((one) => one.Op !== 'write').length;
        expect(count(foldBatch(writes, isAtomic).map((one) => one.mutation))).toBe(
          count(writes.map((one) => one.mutation)),
        );
      }),
    );
  });

  test('the row of the newest write names its sender', () => {
    const write = (seq: number, user?: string): RowMutation => ({
      Op: 'write',
      Table: 'T',
      Key: { K: 1 },
      Seq: seq,
      Set: {},
      ...(user ? { RemoteUser: user } : {}),
    });
    expect(composeWrites(write(1, 'a'), write(2, 'b')).RemoteUser).toBe('b');
    expect(composeWrites(write(1, 'a'), write(2)).RemoteUser).toBe('a');
    expect(composeWrites(write(1), write(2))).not.toHaveProperty('RemoteUser');
  });

  test('keys that only look alike are different rows', () => {
    const write = (key: Record<string, Scalar>): RowMutation => ({
      Op: 'write',
      Table: 'T',
      Key: key,
      Seq: 1,
      Set: {},
    });
    expect(rowKeyOf(write({ A: 'x', B: 'y z' }))).not.toBe(rowKeyOf(write({ A: 'x y', B: 'z' })));
  });
});
