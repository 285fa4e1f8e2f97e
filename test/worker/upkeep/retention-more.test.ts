/**
 * What stays of an entry whose body was given up: its identity, and nothing in the view of rows.
 */
import { expect, test } from 'vitest';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import { event, patch, upsert } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const sweep = (run: LaneRun) =>
  new Retention(
    {
      ...run.local,
      assignments: { of: () => run.assigned } as unknown as Assignments,
      clock: run.clock,
    },
    { entries: 0, ms: 0 },
  ).sweep();

test('a write whose body was given up is still a duplicate, other content under it a conflict (I3, I6)', async () => {
  const run = LaneRun.ofTest();
  const [seq = 0] = run.append(upsert('a', 'n1', { Status: 's', Settings: { x: 1, y: 2 } }));
  await run.rest();
  expect(await sweep(run)).toBe(1);
  expect(run.local.journal.read(seq)).toBeNull();
  expect(
    run.local.journal.append([upsert('a', 'n1', { Settings: { y: 2, x: 1 }, Status: 's' })], 1),
  ).toEqual([{ seq, isNew: false }]);
  const [other] = run.local.journal.append([upsert('a', 'n1', { Status: 'other' })], 1);
  expect(other).toBeInstanceOf(TidemarkError);
  expect(other).toMatchObject({ code: 'CONFLICT' });
});

test('rows of the projection go with the bodies, those written again since stay (I6)', async () => {
  const run = LaneRun.ofTest();
  run.append(
    upsert('a', 'n1', { F1: 1 }),
    upsert('b', 'n2', { F2: 1 }),
    event('a', 'n3', { F3: 1 }),
  );
  await run.rest();
  await run.local.projection.catchUp('queue');
  run.isPaused = true;
  run.append(patch('a', 'n4', { F4: 1 }));
  await run.local.projection.catchUp('queue');
  expect(await sweep(run)).toBe(3);
  const { projection } = run.local;
  expect(projection.row('UVQueueWorkItem', 'b')).toBeNull();
  expect(projection.rowsOf('UVQueueWorkItemEvent', 'a')).toEqual([]);
  expect(projection.row('UVQueueWorkItem', 'a')).toMatchObject({ key: 'a' });
});
