/**
 * What the worker says of itself: a lane's status, its balance, where a write is; over a real
 * journal, with a clock that stands still.
 */
import { expect, test } from 'vitest';
import { Retention } from '../../../worker/upkeep/retention.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { patch } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const change = (key: string, n: number) => patch(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });
const where = (run: LaneRun, n: number) => run.overview.locate(guidOf(`n${n}`));

/** Gives up every body that may go. */
async function sweep(run: LaneRun): Promise<void> {
  const assignments = { of: () => run.assigned } as unknown as Assignments;
  await new Retention(
    { ...run.local, assignments, clock: run.clock },
    { entries: 0, ms: 0 },
  ).sweep();
}

test('a write is unknown, accepted, buffered, applied, as it goes its way', async () => {
  const run = LaneRun.ofTest();
  run.assigned = null;
  expect(where(run, 1)).toEqual({ EventGUID: guidOf('n1'), State: 'unknown' });
  const [seq = 0] = run.append(change('a', 1));
  expect(where(run, 1)).toMatchObject({
    State: 'accepted',
    Seq: seq,
    Lane: 'queue',
    Action: 'QP_UpdateWorkItem',
    Key: 'a',
  });
  run.assigned = { beacon: 'a', connection: 1 };
  run.isPaused = true;
  expect(where(run, 1)).toMatchObject({ State: 'buffered', Seq: seq });
  run.isPaused = false;
  await run.rest();
  const applied = where(run, 1);
  expect(applied).toMatchObject({ State: 'applied', Seq: seq });
  expect(applied.AppliedAt).toMatch(/Z$/);
});

test('a refused write is a dead letter, those behind it are blocked, all are in the balance (I10)', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(2);
  run.append(change('b', 1), change('a', 2), change('a', 3));
  await run.rest();
  expect([1, 2, 3].map((n) => where(run, n).State)).toEqual([
    'applied',
    'dead-lettered',
    'buffered',
  ]);
  expect(where(run, 2).Reason).toMatch(/^rejected/);
  expect(run.overview.lane('queue')).toMatchObject({
    Pending: 1,
    DeadLetters: 1,
    AssignedBeaconID: 'a',
    IDBeaconConnection: 1,
    AssignedBy: 'operator',
  });
  expect(run.balance).toMatchObject({
    Accepted: 3,
    Applied: 1,
    Pending: 1,
    DeadLettered: 1,
    Difference: 0,
  });
});

test('I14: a status parses no body, however long what is parked is', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(1);
  const [, parked] = run.append(change('a', 1), change('a', 2));
  await run.rest();
  await run.clock.advance(60_000);
  // What would be noticed by whoever reads it.
  expect(
    run.local.store.db.prepare('update queue_body set body = ? where seq = ?').run('{', parked)
      .changes,
  ).toBe(1);
  expect(run.overview.lane('queue')).toMatchObject({ Pending: 1, DeadLetters: 1 });
  expect(run.overview.lane('queue').OldestPendingMs).toBeGreaterThan(0);
  expect(where(run, 2)).toMatchObject({ State: 'buffered' });
});

test('pending is the same from counts and entry by entry: paused, delivered, given up (I10)', async () => {
  const run = LaneRun.ofTest();
  const same = () => {
    expect(run.overview.pending('queue')).toBe(run.balance.Pending);
    expect(run.balance.Difference).toBe(0);
  };
  run.append(change('a', 1), change('b', 2));
  same();
  await run.rest();
  same();
  await sweep(run);
  run.isPaused = true;
  run.append(change('a', 3));
  same();
  run.assigned = null;
  same();
  run.assigned = { beacon: 'b', connection: 1 };
  same();
});

test('the oldest that is pending has an age, and it is zero when nothing is', async () => {
  const run = LaneRun.ofTest();
  run.isPaused = true;
  run.append(change('a', 1));
  await run.clock.advance(5_000);
  expect(run.overview.lane('queue')).toMatchObject({ Pending: 1, OldestPendingMs: 5_000 });
  run.isPaused = false;
  await run.rest();
  expect(run.overview.lane('queue')).toMatchObject({ Pending: 0, OldestPendingMs: 0 });
});

test('bodies that were given up are not pending and have no age, also while nothing is assigned', async () => {
  const run = LaneRun.ofTest();
  run.append(change('a', 1));
  await run.rest();
  await sweep(run);
  await run.clock.advance(5_000);
  run.assigned = null;
  expect(run.overview.lane('queue')).toMatchObject({ Pending: 0, OldestPendingMs: 0 });
  run.assigned = { beacon: 'b', connection: 1 };
  expect(run.overview.lane('queue')).toMatchObject({ Pending: 0, OldestPendingMs: 0 });
});

test('what is parked behind a dead letter has an age', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(1);
  run.append(change('a', 1), change('a', 2));
  await run.rest();
  await run.clock.advance(5_000);
  const { Pending, OldestPendingMs } = run.overview.lane('queue');
  expect(Pending).toBe(1);
  expect(OldestPendingMs).toBeGreaterThanOrEqual(5_000);
});
