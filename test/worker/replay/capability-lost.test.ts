/** A beacon that loses the batch capability and gets it back: its mark row stood still meanwhile. */
import { expect, test } from 'vitest';
import type { CarrierName } from '../../../contracts/status.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { event, patch } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';
import { World } from '../../kit/worker/with-beacon.ts';

const change = (key: string, n: number) => patch(key, `n${n}`, { [`F${n}`]: 1 });
const happening = (key: string, n: number) => event(key, `n${n}`, { [`F${n}`]: 1 });

function offer(run: LaneRun, carrier: CarrierName): void {
  run.offers = carrier;
  run.returns();
}

/** Entry 1 went in a batch, 2 and 3 without one; the mark row is still at entry 1. */
async function withoutBatch(carrier: CarrierName = 'meadow-proxy'): Promise<LaneRun> {
  const run = LaneRun.ofTest();
  run.append(change('a', 1));
  await run.rest();
  offer(run, carrier);
  run.append(change('a', 2), happening('b', 3));
  await run.rest();
  expect(run.balance).toMatchObject({ Applied: 3, Pending: 0 });
  expect(run.database.mark?.Seq).toBeLessThan(run.mark?.seq ?? 0);
  return run;
}

async function expectAll(run: LaneRun, count: number): Promise<void> {
  await run.rest();
  expect(run.balance).toMatchObject({
    Accepted: count,
    Pending: 0,
    DeadLettered: 0,
    Difference: 0,
  });
  expect(run.database.names()).toEqual(Array.from({ length: count }, (_, n) => n + 1));
  expect(run.database.mark).toMatchObject({ Seq: run.mark?.seq, Epoch: run.mark?.epoch });
}

const others = ['meadow-proxy', 'legacy'] as const;

test.each(others)(
  'a lane does not stick when its beacon had only %s for a while and offers batches again (I5, I8)',
  async (carrier) => {
    const run = await withoutBatch(carrier);
    offer(run, 'batch');
    run.append(change('c', 4));
    await expectAll(run, 4);
    expect(run.faults).toEqual([]);
    // Once is enough: nothing is sent again at the next look.
    const calls = run.database.calls.length;
    run.returns();
    await run.rest();
    expect(run.database.calls.length).toBe(calls);
  },
);

test.each(others)(
  'a restart after %s, and nothing new to send, leave no lane behind (I5)',
  async (carrier) => {
    const run = await withoutBatch(carrier);
    offer(run, 'batch');
    await run.restart();
    await expectAll(run, 3);
  },
);

test('nothing a legacy beacon delivered is sent again: its rows have no Seq to guard them (I8)', async () => {
  const run = await withoutBatch('legacy');
  const calls = run.database.calls.length;
  offer(run, 'batch');
  run.append(change('c', 4));
  await expectAll(run, 4);
  expect(run.database.calls.slice(calls).flatMap(({ names }) => names)).toEqual([4]);
});

test('a lane that loses and regains batches with every write neither sticks nor loses one (I5, I7)', async () => {
  const run = LaneRun.ofTest();
  for (let n = 1; n <= 12; n++) {
    offer(run, n % 2 === 0 ? 'meadow-proxy' : 'batch');
    if (n % 3 === 0) run.database.faults.push('lose');
    run.append(change('a', n));
    await run.rest();
  }
  offer(run, 'batch');
  await expectAll(run, 12);
});

test('what a database lost while its beacon had no batches is sent again (I5, I8)', async () => {
  const run = LaneRun.ofTest();
  run.append(change('a', 1));
  await run.rest();
  const backup = run.database.backup();
  run.append(change('a', 2));
  await run.rest();
  offer(run, 'meadow-proxy');
  run.append(happening('b', 3));
  await run.rest();
  run.database.restore(backup);
  offer(run, 'batch');
  await expectAll(run, 3);
});

test('a dead letter met without batches stays one, and its key waits, once they are back (I5, I7)', async () => {
  const run = LaneRun.ofTest();
  run.append(change('a', 1));
  await run.rest();
  offer(run, 'meadow-proxy');
  run.database.refused.add(3);
  run.append(change('a', 2), change('a', 3), change('a', 4), change('b', 5));
  await run.rest();
  offer(run, 'batch');
  run.append(change('b', 6));
  await run.rest();
  expect(run.database.names()).toEqual([1, 2, 5, 6]);
  expect(run.balance).toMatchObject({ DeadLettered: 1, Difference: 0 });
  run.database.refused.clear();
  const [dead] = run.local.blocked.list(run.mark?.database ?? 0, 1);
  run.local.blocked.retry(run.mark?.database ?? 0, dead?.seq ?? 0, 1);
  await expectAll(run, 6);
});

test('what retention took meanwhile is named, as nobody can say whether the database still has it (I5)', async () => {
  const run = await withoutBatch();
  const assignments = { of: () => run.assigned } as unknown as Assignments;
  const retention = new Retention(
    { ...run.local, assignments, clock: run.clock },
    { entries: 0, ms: 0 },
  );
  await retention.sweep();
  const last = run.mark?.seq ?? 0;
  offer(run, 'batch');
  run.append(change('c', 4));
  await expectAll(run, 4);
  expect(run.faults).toEqual([expect.stringContaining(`to ${last} are no longer in the journal`)]);
});

test('a real databeacon restarted without batches and with them again gets every write (I5, I8)', async () => {
  await using world = await World.start();
  const restart = async (isBatchOn: boolean) => {
    await world.stopBeacon('db-1');
    await world.startBeacon('db-1', { isBatchOn });
  };
  await world.startBeacon('db-1');
  await world.assign('db-1');
  await world.accept(change('a', 1));
  await world.drained();
  await restart(false);
  await world.accept(change('a', 2), happening('b', 3));
  await world.drained();
  expect(world.destinations.deliveries.queue.mark()?.carrier).toBe('meadow-proxy');
  await restart(true);
  await world.accept(change('c', 4));
  await world.drained();
  expect(world.destinations.deliveries.queue.mark()).toMatchObject({
    carrier: 'batch',
    seq: world.local.journal.counts('queue').head,
  });
  expect(world.faults).toEqual([]);
}, 60_000);
