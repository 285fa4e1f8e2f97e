/** Entries whose bodies the disk does not give back as they were written. */
import { expect, test } from 'vitest';
import { verify } from '../../../worker/state/recover/verify.ts';
import { patch } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const change = (key: string, n: number) => patch(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });

function spoil(run: LaneRun, seq: number): void {
  const { changes } = run.local.store.db
    .prepare("update queue_body set body = replace(body, 's2', 'S2') where seq = ?")
    .run(seq);
  expect(changes).toBe(1);
}

test('a damaged write is never delivered: a dead letter, its key waits, others flow on (I5, I7)', async () => {
  const run = LaneRun.ofTest();
  run.isPaused = true;
  const [, bad = 0, behind = 0] = run.append(
    change('a', 1),
    change('a', 2),
    change('a', 3),
    change('b', 4),
  );
  spoil(run, bad);
  expect(run.local.journal.read(bad)).toBeNull();
  run.isPaused = false;
  await run.rest();
  expect(run.database.names()).toEqual([1, 4]);
  const database = run.mark?.database ?? 0;
  expect(run.local.blocked.list(database, 10)).toMatchObject([
    { seq: bad, key: 'a', state: 'dead', reason: expect.stringMatching(/^damaged/) as string },
  ]);
  expect(run.local.blocked.get(database, behind)?.state).toBe('parked');
  expect(run.balance).toMatchObject({ DeadLettered: 1, Pending: 1, Difference: 0 });
  expect(verify(run.local.store.db).Problems).toEqual([
    `1 entries have a body that is not what was written, the first is Seq ${bad}`,
  ]);
  run.local.blocked.retry(database, bad, 1);
  await run.rest();
  expect(run.local.blocked.get(database, bad)?.state).toBe('dead');
  run.local.blocked.drop(database, bad, 1);
  await run.rest();
  expect(run.database.names()).toEqual([1, 3, 4]);
  expect(run.balance).toMatchObject({ DeadLettered: 1, Pending: 0, Difference: 0 });
});

test('damaged writes alone do not hold up the mark (I5, I10)', async () => {
  const run = LaneRun.ofTest();
  run.isPaused = true;
  const [bad = 0] = run.append(change('a', 2));
  spoil(run, bad);
  run.isPaused = false;
  await run.rest();
  expect(run.mark?.seq).toBe(bad);
  expect(run.balance).toMatchObject({ DeadLettered: 1, Pending: 0, Difference: 0 });
});
