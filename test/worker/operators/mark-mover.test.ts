/**
 * Marks moved by hand: when a set is refused, and that nothing is passed silently or sent twice in
 * effect.
 */
import { expect, test } from 'vitest';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import {
  change,
  delivered,
  operations,
  plan,
  resumed,
  set,
  why,
} from '../../kit/worker/mark-mover-run.ts';

test('a set back sends the stretch again, and the rows are those of before (I4, I8, I10)', async () => {
  const { run, seqs } = await delivered();
  const before = structuredClone([
    run.database.row('UVQueueWorkItem', 'a'),
    run.database.row('UVQueueWorkItem', 'b'),
  ]);
  const calls = run.database.calls.length;
  const done = await set(run, seqs[1] ?? 0, { By: 'ann' });
  expect(done.Lanes).toMatchObject([
    { Lane: 'queue', From: seqs[5], To: seqs[1], Again: 4, Skipped: 0 },
  ]);
  expect(run.mark).toMatchObject({ seq: seqs[1], applied: 2 });
  expect(run.balance).toMatchObject({ Pending: 4, Difference: 0 });
  await resumed(run);
  expect(run.database.calls.slice(calls).flatMap((call) => call.names)).toEqual(
    expect.arrayContaining([5, 6]),
  );
  expect(run.mark?.seq).toBe(seqs[5]);
  expect(run.mark?.epochBefore).toBeNull();
  expect([
    run.database.row('UVQueueWorkItem', 'a'),
    run.database.row('UVQueueWorkItem', 'b'),
  ]).toEqual(before);
  expect(run.balance).toMatchObject({ Accepted: 6, Pending: 0, Difference: 0 });
});

test('a database that lost rows, but not its mark, gets them again by a set back, and not without (I4)', async () => {
  const { run } = await delivered();
  const backup = run.database.backup();
  backup.content.rows.clear();
  run.database.restore(backup);
  run.returns();
  await resumed(run);
  expect(run.database.names()).toEqual([]);
  run.isPaused = true;
  await run.rest();
  await set(run, 0);
  await resumed(run);
  expect(run.database.names()).toEqual([1, 2, 3, 4, 5, 6]);
});

test('the set is on record with who, why, from and to', async () => {
  const { run, seqs } = await delivered();
  await set(run, seqs[1] ?? 0, { By: 'ann' });
  expect(operations(run)).toMatchObject([
    { applied_by: 'ann', changes: 4, title: `hwm set --to ${seqs[1]}` },
  ]);
  expect(JSON.parse(operations(run)[0]?.note ?? '')).toMatchObject({
    Reason: why,
    Force: false,
    Lanes: [{ From: seqs[5], To: seqs[1], Again: 4 }],
  });
});

test('while delivery runs it is refused with what to do', async () => {
  const { run, seqs } = await delivered();
  run.isPaused = false;
  await expect(set(run, seqs[1] ?? 0)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('tidemark pause'),
  });
  expect(run.mark?.seq).toBe(seqs[5]);
  expect(operations(run)).toEqual([]);
});

test('a delivery under way when it was paused is settled first, and its marks are not lost (I4, I10)', async () => {
  const { run, seqs } = await delivered();
  run.isPaused = false;
  const [late = 0] = run.append(change('a', 7));
  const apply = run.database.batch.bind(run.database);
  const gate = Promise.withResolvers<void>();
  run.database.batch = async (settings) => {
    await gate.promise;
    return apply(settings);
  };
  run.wake();
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  expect(run.isBusy).toBe(true);
  run.isPaused = true;
  const setting = set(run, seqs[1] ?? 0);
  await run.clock.advance(500);
  expect(run.mark?.seq, 'it waits').toBe(seqs[5]);
  gate.resolve();
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  await run.clock.advance(100);
  expect((await setting).Lanes).toMatchObject([{ From: late, Again: 5 }]);
  expect(run.mark?.seq).toBe(seqs[1]);
  expect(run.balance.Difference).toBe(0);
  await resumed(run);
  expect(run.balance).toMatchObject({ Accepted: 7, Pending: 0, Difference: 0 });
});

test('forwards is refused without force; with it what is passed over is dropped with reason (I5, I10)', async () => {
  const { run, seqs } = await delivered();
  const waiting = run.append(change('a', 7), change('b', 8), change('c', 9));
  await expect(set(run, waiting[1] ?? 0)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/skip 2 entries.*--force/s),
  });
  expect(run.mark?.seq).toBe(seqs[5]);
  const done = await set(run, waiting[1] ?? 0, { Force: true });
  expect(done.Lanes).toMatchObject([{ From: seqs[5], To: waiting[1], Skipped: 2, Again: 0 }]);
  const { database = 0 } = run.mark ?? {};
  expect(run.local.blocked.get(database, waiting[0] ?? 0)).toMatchObject({
    state: 'dropped',
    key: 'a',
    reason: `skipped by hwm set: ${why}`,
  });
  expect(run.balance).toMatchObject({ DeadLettered: 2, Pending: 1, Difference: 0 });
  run.returns();
  await resumed(run);
  expect(run.database.names()).toEqual([1, 2, 3, 4, 5, 6, 9]);
  expect(run.mark?.seq).toBe(waiting[2]);
  expect(run.balance).toMatchObject({ DeadLettered: 2, Pending: 0, Difference: 0 });
});

test('a set back takes up what a set forwards skipped, and leaves dead letters that were dropped (I10)', async () => {
  const { run, seqs } = await delivered(2);
  run.database.refused.add(3);
  const [bad = 0, next = 0] = run.append(change('a', 3), change('b', 4));
  await resumed(run);
  const { database = 0 } = run.mark ?? {};
  expect(run.local.blocked.drop(database, bad, 1)).toBe(true);
  run.isPaused = true;
  await run.rest();
  const last = run.append(change('a', 5), change('b', 6)).at(-1) ?? 0;
  await set(run, last, { Force: true });
  run.database.refused.clear();
  expect(await plan(run, seqs[0] ?? 0)).toMatchObject({
    Held: 1,
    Skipped: 2,
    Stretch: { Entries: 5 },
  });
  const done = await set(run, seqs[0] ?? 0);
  expect(done.Lanes).toMatchObject([{ Again: 4 }]);
  expect(run.balance).toMatchObject({ Applied: 1, Difference: 0 });
  await resumed(run);
  expect(run.database.names()).toEqual([1, 2, 4, 5, 6]);
  expect(run.local.blocked.get(database, bad)?.state).toBe('dropped');
  expect(run.local.blocked.get(database, next)).toBeNull();
  expect(run.balance).toMatchObject({ Accepted: 6, DeadLettered: 1, Pending: 0, Difference: 0 });
});

test('dead letters and what is parked behind them stay so when their stretch goes again (I5, I7, I10)', async () => {
  const { run, seqs } = await delivered(2);
  run.database.refused.add(3);
  const [bad = 0, behind = 0] = run.append(change('a', 3), change('a', 4), change('b', 5));
  await resumed(run);
  run.isPaused = true;
  await run.rest();
  await set(run, 0);
  expect(run.balance).toMatchObject({ Pending: 5, Difference: 0 });
  await resumed(run);
  const { database = 0 } = run.mark ?? {};
  expect(run.local.blocked.get(database, bad)?.state).toBe('dead');
  expect(run.local.blocked.get(database, behind)?.state).toBe('parked');
  expect(
    run.local.blocked.get(database, seqs[0] ?? 0),
    'what came before it went through',
  ).toBeNull();
  expect(run.balance).toMatchObject({ Accepted: 5, DeadLettered: 1, Pending: 1, Difference: 0 });
  run.database.refused.clear();
  run.local.blocked.retry(database, bad, 1);
  await run.rest();
  expect(run.database.names()).toEqual([1, 2, 3, 4, 5]);
  expect(run.balance).toMatchObject({ DeadLettered: 0, Pending: 0, Difference: 0 });
});

test('a set forwards passes over dead letters and what is parked behind them as well (I5, I10)', async () => {
  const { run } = await delivered(2);
  run.database.refused.add(3);
  const blocked = run.append(change('a', 3), change('a', 4));
  const head = run.append(change('b', 5))[0] ?? 0;
  await resumed(run);
  run.isPaused = true;
  await run.rest();
  await set(run, 0);
  await set(run, head, { Force: true });
  const { database = 0 } = run.mark ?? {};
  expect(blocked.map((seq) => run.local.blocked.get(database, seq)?.state)).toEqual([
    'dropped',
    'dropped',
  ]);
  expect(run.balance).toMatchObject({ Accepted: 5, DeadLettered: 5, Pending: 0, Difference: 0 });
});

test('what was dropped and then lost its body is counted when its stretch goes again (I10)', async () => {
  const { run } = await delivered(2);
  run.database.refused.add(3);
  const [bad = 0] = run.append(change('a', 3), change('b', 4));
  await resumed(run);
  run.local.blocked.drop(run.mark?.database ?? 0, bad, 1);
  const assignments = { of: () => run.assigned } as unknown as Assignments;
  expect(
    await new Retention(
      { ...run.local, assignments, clock: run.clock },
      { entries: 0, ms: 0 },
    ).sweep(),
  ).toBe(4);
  run.isPaused = true;
  await run.rest();
  run.append(change('b', 5));
  expect(run.balance.Difference).toBe(0);
  expect((await plan(run, 0))?.Gone).toMatchObject({ Entries: 4 });
  expect((await set(run, 0)).Lanes).toMatchObject([{ Again: 0 }]);
  expect(run.balance).toMatchObject({ Accepted: 5, DeadLettered: 1, Pending: 1, Difference: 0 });
  await resumed(run);
  expect(run.balance).toMatchObject({ Accepted: 5, DeadLettered: 1, Pending: 0, Difference: 0 });
});

test("a restart between set and resume forgets nothing; the database's own mark undoes no set (I4)", async () => {
  const { run, seqs } = await delivered();
  const waiting = run.append(change('a', 7), change('b', 8));
  await set(run, waiting[0] ?? 0, { Force: true });
  await run.restart();
  run.returns();
  const sent = () => run.database.calls.flatMap((call) => call.names);
  const first = sent().length;
  await resumed(run);
  expect(sent().slice(first)).toEqual([8]);
  expect(run.database.names()).toEqual([1, 2, 3, 4, 5, 6, 8]);
  run.isPaused = true;
  await run.rest();
  await set(run, seqs[2] ?? 0);
  await set(run, seqs[4] ?? 0, { Force: true });
  await run.restart();
  run.returns();
  const second = sent().length;
  await resumed(run);
  expect(sent().slice(second).toSorted()).toEqual([6, 7, 8]);
  expect(run.faults).toEqual([]);
  expect(run.mark?.seq).toBe(waiting[1]);
  expect(run.balance.Difference).toBe(0);
});

test('an answer lost under a new epoch is no reason to begin at nothing', async () => {
  const { run, seqs } = await delivered();
  await set(run, seqs[3] ?? 0);
  run.database.faults.push('lose');
  run.isPaused = false;
  const rested = run.rest();
  await nextTurn();
  await nextTurn();
  run.isPaused = true;
  await rested;
  await set(run, seqs[4] ?? 0, { Force: true });
  run.returns();
  const calls = run.database.calls.length;
  await resumed(run);
  expect(run.database.calls.slice(calls).flatMap((call) => call.names)).toEqual([6]);
  expect(run.balance.Difference).toBe(0);
});

test('a database that went back in time after a set is noticed all the same (I4)', async () => {
  const { run } = await delivered(3);
  const backup = run.database.backup();
  const waiting = run.append(change('a', 4), change('b', 5), change('c', 6));
  await resumed(run);
  run.isPaused = true;
  await run.rest();
  const last = run.append(change('c', 7)).at(-1) ?? 0;
  await set(run, last, { Force: true });
  run.database.restore(backup);
  run.returns();
  await resumed(run);
  expect(run.database.names()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(run.local.blocked.get(run.mark?.database ?? 0, last)?.state).toBe('dropped');
  expect(run.mark?.seq).toBeGreaterThanOrEqual(waiting.at(-1) ?? 0);
  expect(run.balance.Difference).toBe(0);
});

test('a database ahead of everything this journal knows is said, and nothing is moved (I4)', async () => {
  const { run, seqs } = await delivered();
  const backup = run.database.backup();
  for (const mark of backup.content.marks.values()) mark.Seq += 1_000;
  run.database.restore(backup);
  run.returns();
  await resumed(run);
  expect(run.faults).toEqual([expect.stringContaining(`up to Seq ${(seqs[5] ?? 0) + 1_000}`)]);
  expect(run.mark?.seq).toBe(seqs[5]);
  expect(run.balance.Difference).toBe(0);
});
