/** Lists over the rows the journal knows: gone through in slices, whole, also while they are written. */
import { expect, test } from 'vitest';
import { listQuery } from '../../../bridges/read-query.ts';
import { limits } from '../../../contracts/limits.ts';
import type { RowQuery } from '../../../contracts/mutation.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import { hubId, openState, patch, upsert } from '../../kit/worker/fixture.ts';

const slices = 8;
const count = slices * limits.listStepRows;

async function known() {
  const { journal, projection } = openState();
  const priorityOf = (n: number) => (n * 7_919) % count;
  journal.append(
    Array.from({ length: count }, (_, n) =>
      upsert(`k${n}`, `n${n}`, { Status: n % 4 === 0 ? 'other' : 'mine', Priority: priorityOf(n) }),
    ),
    1,
  );
  await projection.catchUp('queue');
  return { journal, projection, priorityOf };
}

/** How often others had their turn until it was done. */
async function turnsUntil(work: Promise<unknown>): Promise<number> {
  for (let turns = 0; ; turns++) {
    const first = await Promise.race([work.then(() => 'done'), nextTurn()]);
    if (first === 'done') return turns;
  }
}

const query = (limit: number): RowQuery =>
  listQuery('QP_ListWorkItems', hubId, {
    Filter: { Status: 'mine', OrderBy: '-Priority', Limit: limit },
  });

test('a list over thousands of rows gives way to answers between its slices, first rows first (I13)', async () => {
  const { projection, priorityOf } = await known();
  const found = projection.search.find(query(20), 0);
  const turns = await turnsUntil(found);
  expect(turns).toBeGreaterThanOrEqual(slices - 1);
  const first = Array.from({ length: count }, (_, n) => n)
    .filter((n) => n % 4 !== 0)
    .toSorted((a, b) => priorityOf(b) - priorityOf(a))
    .slice(0, 20);
  const { matching, undecidable } = await found;
  expect(new Set(matching.map(({ key }) => key))).toEqual(new Set(first.map((n) => `k${n}`)));
  expect(undecidable).toEqual([]);
});

test('a row written between two slices is in the list once, as it is now (I13)', async () => {
  const { journal, projection } = await known();
  const found = projection.search.find(query(count), 0);
  await nextTurn();
  // One that was gone through already, and one that was not.
  journal.append(
    ['k1', `k${count - 1}`].map((key) => patch(key, `later ${key}`, { Note: 'now' })),
    2,
  );
  await projection.catchUp('queue');
  const { matching } = await found;
  expect(matching).toHaveLength((count * 3) / 4);
  const rewritten = matching.filter(({ seq }) => seq >= journal.lastSeq() - 1);
  expect(rewritten.map(({ key }) => key).toSorted()).toEqual(['k1', `k${count - 1}`].toSorted());
});
