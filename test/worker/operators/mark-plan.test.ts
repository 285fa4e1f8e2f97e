/** Plans of moving marks: what they tell, that they change nothing, and that a set holds to one. */
import { expect, test } from 'vitest';
import { event, manifest, upsert } from '../../kit/worker/fixture.ts';
import { change, delivered, plan, resumed, set } from '../../kit/worker/mark-mover-run.ts';

test('a plan tells what would go again, by table and key, and changes nothing', async () => {
  const { run, seqs } = await delivered(4);
  run.append(event('a', 'n9', { F9: 1 }));
  await resumed(run);
  const dump = () =>
    ['entry', 'mark', 'held', 'operation'].map((name) =>
      JSON.stringify(run.local.store.db.prepare(`select * from ${name}`).all()),
    );
  const before = dump();
  const found = await plan(run, seqs[1] ?? 0);
  expect(found).toMatchObject({
    Direction: 'backwards',
    To: seqs[1],
    Stretch: { Entries: 3, First: seqs[2] },
    Gone: null,
    Held: 0,
    Rows: [],
    Tables: [
      { Table: 'UVQueueWorkItem', Entries: 2, Keys: 2 },
      { Table: 'UVQueueWorkItemEvent', Entries: 1, Keys: 1 },
    ],
    Keys: [
      { Key: 'a', Entries: 2 },
      { Key: 'b', Entries: 1 },
    ],
  });
  expect(dump()).toEqual(before);
  expect(await plan(run, run.mark?.seq ?? 0)).toMatchObject({
    Direction: 'none',
    Stretch: null,
  });
});

test('a plan forwards lists what would be skipped one by one', async () => {
  const { run } = await delivered(2);
  const waiting = run.append(upsert('x', 'n3', { F3: 1 }), change('y', 4));
  expect(await plan(run, waiting[1] ?? 0)).toMatchObject({
    Direction: 'forwards',
    Rows: [
      { Seq: waiting[0], Action: 'QP_UpsertWorkItem', Key: 'x' },
      { Seq: waiting[1], Key: 'y' },
    ],
  });
});

test('a time means everything accepted at or after it', async () => {
  const { run, seqs } = await delivered();
  const third = run.local.journal.read(seqs[2] ?? 0)?.acceptedAt ?? '';
  expect(await plan(run, third)).toMatchObject({
    To: seqs[1],
    Stretch: { First: seqs[2], Entries: 4 },
  });
  expect(await plan(run, '1970-01-01')).toMatchObject({ To: 0 });
  await expect(plan(run, '2999-01-01T00:00:00Z')).rejects.toMatchObject({
    code: 'INVALID_MESSAGE',
  });
  await expect(plan(run, 'yesterday')).rejects.toMatchObject({
    code: 'INVALID_MESSAGE',
    message: expect.stringContaining('2026-01-31T12:00:00Z'),
  });
});

test('a plan that no longer holds is refused, one that does is done', async () => {
  const { run, seqs } = await delivered();
  const target = { To: seqs[2] ?? 0, Lane: 'queue' as const };
  const { Plan } = await run.markMover.plan(target);
  run.append(change('z', 9));
  expect(
    (await run.markMover.plan(target)).Plan,
    'what is accepted meanwhile is not part of it',
  ).toBe(Plan);
  await resumed(run);
  run.isPaused = true;
  await run.rest();
  await expect(set(run, target.To, { Plan })).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('no longer holds'),
  });
  const again = await run.markMover.plan(target);
  await set(run, target.To, { Plan: again.Plan });
  expect(run.mark?.seq).toBe(target.To);
});

test('targets that make no sense are refused with the field', async () => {
  const { run, seqs } = await delivered();
  await expect(set(run, (seqs[5] ?? 0) + 1)).rejects.toMatchObject({
    code: 'INVALID_MESSAGE',
    message: expect.stringContaining('beyond the last entry'),
  });
  await expect(set(run, 0, { Reason: ' ' })).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
  await expect(plan(run, 0, { BeaconID: 'nobody', IDBeaconConnection: 1 })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  run.assigned = null;
  await expect(plan(run, 0)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('--beacon'),
  });
  expect(await plan(run, 0, { BeaconID: 'a', IDBeaconConnection: 1 })).toMatchObject({
    Stretch: { Entries: 6 },
  });
});

test('a Seq between entries means the last one before it, also where another lane has it', async () => {
  const { run, seqs } = await delivered(2);
  const [other = 0] = run.append(manifest('m', 'm1'), change('a', 3));
  expect(await plan(run, other)).toMatchObject({ Direction: 'none', To: seqs[1] });
});
