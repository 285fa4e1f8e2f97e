/** Replay against scripted databases: settlement, dead letters, lost answers, time travel. */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { event, patch, upsert } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

const item = (key: string, n: number) => upsert(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });
const change = (key: string, n: number) => patch(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });
const happening = (key: string, n: number) => event(key, `n${n}`, { [`F${n}`]: 1 });
const dead = (run: LaneRun) => run.local.blocked.list(run.mark?.database ?? 0, 100);

test.each([true, false])(
  'everything is delivered and the mark is at the head (I5, I10), isAtomic %s',
  async (isAtomic) => {
    const run = LaneRun.ofTest(isAtomic);
    const seqs = run.append(
      item('a', 1),
      happening('a', 2),
      change('a', 3),
      item('b', 4),
      change('b', 5),
    );
    await run.rest();
    expect(run.database.names()).toEqual([1, 2, 3, 4, 5]);
    expect(run.mark).toMatchObject({ seq: seqs.at(-1), applied: 5, present: 0, skipped: 0 });
    expect(run.balance).toMatchObject({ Accepted: 5, Applied: 5, Pending: 0, Difference: 0 });
    expect(run.database.row('UVQueueWorkItem', 'a')).toMatchObject({ Status: 's3' });
  },
);

test.each([true, false])(
  'a refused write is kept with its reason, its key waits, other keys flow on (I5, I7, I10), isAtomic %s',
  async (isAtomic) => {
    const run = LaneRun.ofTest(isAtomic);
    run.database.refused.add(2);
    const seqs = run.append(
      item('a', 1),
      change('a', 2),
      change('a', 3),
      item('b', 4),
      happening('a', 5),
    );
    await run.rest();
    run.append(change('a', 6), change('b', 7));
    await run.rest();
    expect(run.database.names()).toEqual([1, 4, 7]);
    expect(dead(run)).toMatchObject([
      {
        seq: seqs[1],
        key: 'a',
        state: 'dead',
        reason: 'rejected: refused by the script',
        parked: 3,
      },
    ]);
    expect(run.mark?.seq).toBe(run.local.journal.counts('queue').head);
    expect(run.balance).toMatchObject({
      Accepted: 7,
      Applied: 3,
      Pending: 3,
      DeadLettered: 1,
      Difference: 0,
    });
  },
);

test.each([true, false])(
  'a refusal among folded writes leaves exactly the bad one dead (I5), isAtomic %s',
  async (isAtomic) => {
    const run = LaneRun.ofTest(isAtomic);
    run.database.refused.add(3);
    const seqs = run.append(...[1, 2, 3, 4, 5].map((n) => change('a', n)));
    await run.rest();
    expect(run.database.names()).toEqual([1, 2]);
    expect(dead(run).map((one) => one.seq)).toEqual([seqs[2]]);
    expect(run.local.blocked.count(run.mark?.database ?? 0, 'queue', 'parked')).toBe(2);
  },
);

test.each(['retry', 'drop'] as const)(
  '%s releases what is parked behind, in the order of Seq (I7)',
  async (verb) => {
    const run = LaneRun.ofTest();
    run.database.refused.add(2);
    const [, bad = 0] = run.append(
      item('a', 1),
      change('a', 2),
      happening('a', 3),
      change('a', 4),
      item('b', 5),
    );
    await run.rest();
    run.database.refused.clear();
    expect(run.local.blocked[verb](run.mark?.database ?? 0, bad, 1)).toBe(true);
    await run.rest();
    const expected = verb === 'retry' ? [1, 2, 3, 4] : [1, 3, 4];
    expect(run.database.effects.filter((one) => one.key === 'a').map((one) => one.name)).toEqual(
      expected,
    );
    expect(run.database.row('UVQueueWorkItem', 'a')).toMatchObject({ Status: 's4' });
    expect(run.balance).toMatchObject({
      Pending: 0,
      DeadLettered: verb === 'retry' ? 0 : 1,
      Difference: 0,
    });
    expect(run.local.blocked[verb](run.mark?.database ?? 0, bad, 1)).toBe(false);
  },
);

test('a retry refused again is a dead letter again; two of one key are released one after the other (I7)', async () => {
  const run = LaneRun.ofTest();
  for (const n of [1, 3]) run.database.refused.add(n);
  const [first = 0] = run.append(...[1, 2, 3, 4].map((n) => happening('a', n)));
  await run.rest();
  const database = run.mark?.database ?? 0;
  run.local.blocked.retry(database, first, 1);
  await run.rest();
  expect(dead(run).map((one) => one.seq)).toEqual([first]);
  run.database.refused.delete(1);
  run.local.blocked.retry(database, first, 1);
  await run.rest();
  expect(run.database.names()).toEqual([1, 2]);
  const [second] = dead(run);
  run.local.blocked.drop(database, second?.seq ?? 0, 1);
  await run.rest();
  expect(run.database.effects.map((one) => one.name)).toEqual([1, 2, 4]);
  expect(run.balance).toMatchObject({ Applied: 3, DeadLettered: 1, Pending: 0, Difference: 0 });
});

test('dead letters outlive a restart with all that waits behind them (I5, I7)', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(1);
  run.append(item('a', 1), change('a', 2), item('b', 3));
  await run.rest();
  await run.restart();
  run.append(change('a', 4));
  await run.rest();
  expect(run.database.names()).toEqual([3]);
  expect(dead(run)).toMatchObject([{ parked: 2 }]);
  expect(run.balance.Difference).toBe(0);
});

test.each([true, false])(
  'defect 45: an answer lost after the commit: sent again, in effect and counted once (I8, I10), isAtomic %s',
  async (isAtomic) => {
    const run = LaneRun.ofTest(isAtomic);
    run.database.faults.push('lose', 'fail', 'lose');
    run.append(item('a', 1), happening('a', 2), change('a', 3));
    await run.rest();
    expect(run.database.effects.map((one) => one.name).toSorted()).toEqual([1, 2, 3]);
    expect(run.database.calls.length).toBeGreaterThanOrEqual(4);
    expect(run.balance).toMatchObject({ Accepted: 3, AlreadyPresent: 3, Difference: 0 });
  },
);

test('a lost answer does not hide a refusal (I5)', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(2);
  run.database.faults.push('lose', 'lose');
  const seqs = run.append(item('a', 1), item('b', 2), change('b', 3));
  await run.rest();
  expect(dead(run).map((one) => one.seq)).toEqual([seqs[1]]);
  expect(run.database.names()).toEqual([1]);
});

test('a backlog goes in batches that grow, each read from behind the mark, none twice (I5)', async () => {
  const run = LaneRun.ofTest();
  for (let n = 1; n <= 1_000; n++) run.append(happening(`k${n % 7}`, n));
  await run.rest();
  expect(run.database.names()).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  const sizes = run.database.calls.map((call) => call.names.length);
  expect(sizes[0]).toBe(limits.deliverEntriesMin);
  expect(Math.max(...sizes)).toBeGreaterThan(limits.deliverEntriesMin);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_000);
});

test('paused: nothing leaves, all is accepted; resumed: all leaves', async () => {
  const run = LaneRun.ofTest();
  await run.rest();
  run.isPaused = true;
  run.append(item('a', 1));
  await run.rest();
  expect(run.database.calls).toEqual([]);
  run.isPaused = false;
  await run.rest();
  expect(run.database.names()).toEqual([1]);
});

test('another database gets all the journal retains, in order, and its own dead letters only (I7)', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(2);
  run.append(item('a', 1), change('a', 2), change('a', 3), happening('b', 4));
  await run.rest();
  run.assigned = { beacon: 'b', connection: 1 };
  await run.rest();
  expect(run.database.effects.filter((one) => one.key === 'a').map((one) => one.name)).toEqual([
    1, 2, 3,
  ]);
  expect(run.database.names()).toEqual([1, 2, 3, 4]);
  expect(run.balance).toMatchObject({ Applied: 4, DeadLettered: 0, Difference: 0 });
  run.assigned = { beacon: 'a', connection: 1 };
  run.returns();
  await run.rest();
  expect(dead(run)).toMatchObject([{ parked: 1 }]);
  expect(run.balance).toMatchObject({ Applied: 2, DeadLettered: 1, Pending: 1, Difference: 0 });
});

test('a database that went back in time gets what it lost, and the mark moves back only then (I4, I8)', async () => {
  const run = LaneRun.ofTest();
  run.append(item('a', 1));
  await run.rest();
  const backup = run.database.backup();
  run.append(change('a', 2), happening('a', 3));
  await run.rest();
  const before = run.mark?.seq;
  run.returns();
  await run.rest();
  expect(run.mark?.seq).toBe(before);
  run.database.restore(backup);
  run.returns();
  await run.rest();
  expect(run.database.names()).toEqual([1, 2, 3]);
  expect(run.mark?.seq).toBe(before);
  expect(run.faults).toEqual([]);
  expect(run.balance).toMatchObject({ Accepted: 3, Pending: 0, Difference: 0 });
});

test('another database under the same name gets everything again (I4)', async () => {
  const run = LaneRun.ofTest();
  run.append(item('a', 1), change('a', 2));
  await run.rest();
  run.database.exchange('store-other');
  run.returns();
  await run.rest();
  expect(run.database.names()).toEqual([1, 2]);
  expect(run.balance).toMatchObject({ Accepted: 2, Difference: 0 });
});

test('a database that went back behind what the journal has: reported as a fault, the rest is sent (I4)', async () => {
  const run = LaneRun.ofTest();
  const backup = run.database.backup();
  run.append(item('a', 1), item('b', 2));
  await run.rest();
  const { journal } = run.local;
  journal.strip('queue', journal.readAfter('queue', 0, 1, 1e6));
  run.database.restore(backup);
  run.returns();
  await run.rest();
  expect(run.database.names()).toEqual([2]);
  expect(run.faults).toHaveLength(1);
  expect(run.faults[0]).toContain('a/1');
  expect(run.balance.Difference).toBe(0);
});

test.each(['still refused', 'no longer refused'])(
  'what was dropped stays dropped when the database goes back in time (I5, I10), %s',
  async (now) => {
    const run = LaneRun.ofTest();
    const backup = run.database.backup();
    for (const n of [1, 4]) run.database.refused.add(n);
    const [bad = 0, , , worse = 0] = run.append(
      item('a', 1),
      change('a', 2),
      item('b', 3),
      item('c', 4),
    );
    await run.rest();
    for (const seq of [bad, worse]) run.local.blocked.drop(run.mark?.database ?? 0, seq, 1);
    await run.rest();
    expect(run.database.names()).toEqual([2, 3]);
    if (now === 'no longer refused') run.database.refused.clear();
    run.database.restore(backup);
    run.returns();
    await run.rest();
    expect(run.database.names()).toEqual([2, 3]);
    expect(run.balance).toMatchObject({
      Accepted: 4,
      Applied: 2,
      DeadLettered: 2,
      Pending: 0,
      Difference: 0,
    });
  },
);

test('a dead letter whose body is gone is buried again with that reason', async () => {
  const run = LaneRun.ofTest();
  run.database.refused.add(1);
  const [bad = 0] = run.append(item('a', 1));
  await run.rest();
  run.local.store.db.prepare('delete from queue_body where seq = ?').run(bad);
  run.local.blocked.retry(run.mark?.database ?? 0, bad, 1);
  await run.rest();
  expect(dead(run)).toMatchObject([{ seq: bad, reason: 'its body is gone from the journal' }]);
});
