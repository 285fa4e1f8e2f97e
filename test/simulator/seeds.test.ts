/**
 * What the simulator found in the product, each as the shortest course of events that showed it.
 */
import { expect, test } from 'vitest';
import { TidemarkError } from '../../contracts/errors.ts';
import { BatchCarrier, type Delivery } from '../../worker/replay/carrier.ts';
import type { Dispatcher } from '../../worker/beacons/dispatcher.ts';
import { Retention } from '../../worker/upkeep/retention.ts';
import { patch, upsert } from '../kit/worker/fixture.ts';
import { LaneRun } from '../kit/worker/lane-run.ts';

function write(key: string, name: number) {
  return patch(key, `n${name}`, { Status: `s${name}`, [`F${name}`]: 1 });
}

/** Delivery pauses with the next batch; perhaps its answer is lost. */
function pauseAt(run: LaneRun, isAnswerLost: boolean): void {
  const { database } = run;
  const batch = database.batch.bind(database);
  database.batch = async (settings) => {
    database.batch = batch;
    run.isPaused = true;
    const outputs = await batch(settings);
    if (isAnswerLost) throw new TidemarkError('UNAVAILABLE', 'the answer was lost by the script');
    return outputs;
  };
}

for (const verb of ['drop', 'retry'] as const) {
  test(`a write parked in a batch with a lost answer arrives after ${verb} of its dead letter (I5)`, async () => {
    const run = LaneRun.ofTest();
    run.database.refused.add(0);
    const [dead = 0] = run.append(write('k', 0));
    await run.rest();
    expect(run.local.blocked.get(run.mark?.database ?? 0, dead)?.state).toBe('dead');
    run.append(write('k', 1), write('l', 2));
    pauseAt(run, true);
    await run.rest();
    expect(run.database.mark?.Seq).toBeGreaterThan(run.mark?.seq ?? 0);
    run.database.refused.clear();
    run.isPaused = false;
    expect(run.local.blocked[verb](run.mark?.database ?? 0, dead, 1)).toBe(true);
    await run.rest();
    expect(run.database.names()).toEqual(verb === 'drop' ? [1, 2] : [0, 1, 2]);
    expect(run.balance.Difference).toBe(0);
  });
}

test('a database assigned again after its stretch lost its bodies counts it as skipped (I6, I10)', async () => {
  const run = LaneRun.ofTest();
  run.append(write('k', 0));
  await run.rest();
  run.assigned = { beacon: 'b', connection: 1 };
  run.returns();
  run.append(write('k', 1));
  await run.rest();
  const { local } = run;
  const assignments = { of: (lane: string) => (lane === 'queue' ? run.assigned : null) };
  const retention = new Retention(
    { ...local, assignments: assignments as never, clock: run.clock },
    { entries: 0, ms: 0 },
  );
  expect(await retention.sweep()).toBe(2);
  run.assigned = { beacon: 'a', connection: 1 };
  run.returns();
  await run.rest();
  expect(run.balance).toMatchObject({
    Accepted: 2,
    Applied: 1,
    Skipped: 1,
    Pending: 0,
    Difference: 0,
  });
});

test('retention stops when another database is assigned while it waits (I6)', async () => {
  const run = LaneRun.ofTest();
  run.append(write('k', 0), write('k', 1));
  await run.rest();
  const { local } = run;
  const catchUp = local.projection.catchUp.bind(local.projection);
  local.projection.catchUp = async (lane) => {
    await catchUp(lane);
    run.assigned = { beacon: 'b', connection: 1 };
  };
  const assignments = { of: (lane: string) => (lane === 'queue' ? run.assigned : null) };
  const retention = new Retention(
    { ...local, assignments: assignments as never, clock: run.clock },
    { entries: 0, ms: 0 },
  );
  expect(await retention.sweep()).toBe(0);
});

test('a database that goes back in time behind a running beacon takes no batch that hides the gap (I5)', async () => {
  const run = LaneRun.ofTest();
  run.append(upsert('k', 'n0', { F0: 1 }));
  await run.rest();
  const backup = run.database.backup();
  run.append(write('k', 1));
  await run.rest();
  run.database.restore(backup);
  run.append(write('k', 2));
  pauseAt(run, false);
  await run.rest();
  expect(run.database.names()).toEqual([0]);
  run.isPaused = false;
  // The worker looks at a database anew after a failure.
  run.returns();
  await run.rest();
  expect(run.database.names()).toEqual([0, 1, 2]);
});

test('an answer to another batch settles nothing (I5)', async () => {
  const route = { beacon: 'a', connection: 1, hubId: 'hub1', lane: 'queue', epoch: 'e' } as const;
  const writes: Delivery['writes'] = [
    {
      mutation: { Op: 'write', Table: 'UVQueueWorkItem', Key: {}, Seq: 9, Set: {} },
      key: 'k',
      seqs: [9],
    },
  ];
  const answering = (outputs: object) =>
    new BatchCarrier(
      { pack: () => ({}), sendPacked: () => Promise.resolve(outputs) } as unknown as Dispatcher,
      route,
    ).apply({ writes, throughSeq: 9, afterSeq: 0, isBelowMark: false });
  const one = { Outcome: 'applied' };
  await expect(
    answering({ Results: [one], IsCommitted: true, Mark: { Epoch: 'e', Seq: 9 } }),
  ).resolves.toMatchObject({ isCommitted: true });
  await expect(
    answering({ Results: [one], IsCommitted: true, Mark: { Epoch: 'e', Seq: 8 } }),
  ).rejects.toThrow('its mark is 8');
  await expect(
    answering({ Results: [one, one], IsCommitted: true, Mark: { Epoch: 'e', Seq: 9 } }),
  ).rejects.toThrow('2 results for 1');
});

for (const isBefore of [true, false]) {
  test(`a released write is sent again after a restore from ${isBefore ? 'before it' : 'amid two'} (I5)`, async () => {
    const run = LaneRun.ofTest();
    for (const name of [0, 1]) run.database.refused.add(name);
    const dead = run.append(write('k', 0), write('l', 1), write('m', 2));
    await run.rest();
    const release = async (at: number) => {
      run.local.blocked.retry(run.mark?.database ?? 0, dead[at] ?? 0, 1);
      await run.rest();
    };
    let backup = run.database.backup();
    run.database.refused.clear();
    await release(0);
    if (!isBefore) backup = run.database.backup();
    await release(1);
    expect(run.database.names()).toEqual([0, 1, 2]);
    run.database.restore(backup);
    run.returns();
    await run.rest();
    expect(run.database.names()).toEqual([0, 1, 2]);
    expect(run.balance.Difference).toBe(0);
  });
}
