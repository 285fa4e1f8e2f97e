/** Housekeeping ends before its store does: a sweep of many steps is no fault of a worker that stops. */
import { expect, test } from 'vitest';
import type { Lane } from '../../../contracts/subjects.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { Housekeeping } from '../../../worker/upkeep/housekeeping.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { silent, upsert } from '../../kit/worker/fixture.ts';

/** That keeps nothing. */
function housekeepingOf(run: LaneRun) {
  const faults: string[] = [];
  const clock = new ManualClock(Date.now() + 1e9);
  const housekeeping = new Housekeeping({
    local: run.local,
    assignments: { of: (lane: Lane) => (lane === 'queue' ? run.assigned : null) } as Assignments,
    clock,
    log: silent,
    keep: { retention: { entries: 0, ms: 1 }, dedup: { entries: 0, ms: 1 } },
    pressure: { full: () => undefined },
    onFault: (error) => void faults.push(error.message),
    onRescued: () => undefined,
  });
  return { housekeeping, clock, faults };
}

test('a worker that stops in the middle of a long sweep reports no fault of its store (I13)', async () => {
  const run = LaneRun.ofTest();
  run.append(
    ...Array.from({ length: 1_000 }, (_, n) => upsert(`k${n}`, `n${n}`, { [`F${n}`]: 1 })),
  );
  await run.rest();
  const { housekeeping, clock, faults } = housekeepingOf(run);
  housekeeping.start();
  await clock.advance(60_000);
  await nextTurn();
  const { stripped } = run.local.journal.counts('queue');
  expect(stripped).toBeLessThan(1_000);
  await housekeeping.stop();
  run.local.store.close();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  expect(faults).toEqual([]);
});

test('what is past the horizon is forgotten though there is always another body to give up (I13)', async () => {
  const run = LaneRun.ofTest();
  run.append(...Array.from({ length: 600 }, (_, n) => upsert(`k${n}`, `n${n}`, { [`F${n}`]: 1 })));
  await run.rest();
  const { journal } = run.local;
  const seqs = journal.readAfter('queue', 0, 1_000, 1e9).map(({ seq }) => seq);
  journal.stripSeqs('queue', seqs.slice(0, 300));
  const { housekeeping, clock } = housekeepingOf(run);
  // Under full load a sweep of retention does not come to an end.
  const { projection } = run.local;
  const load = Promise.withResolvers<void>();
  const catchUp = projection.catchUp.bind(projection);
  projection.catchUp = () => load.promise;
  housekeeping.start();
  await clock.advance(60_000);
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  expect(journal.horizon.get().throughSeq).toBeGreaterThanOrEqual(seqs[299] ?? 0);
  projection.catchUp = catchUp;
  load.resolve();
  await housekeeping.stop();
});
