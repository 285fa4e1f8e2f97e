/**
 * Where a lane delivers to: what is learnt of a database when its beacon comes, for each lane by
 * itself.
 */
import { expect, test } from 'vitest';
import type { Lane } from '../../../contracts/subjects.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { LaneDelivery } from '../../../worker/replay/delivery.ts';
import type { Dispatcher } from '../../../worker/beacons/dispatcher.ts';
import { Ownership } from '../../../worker/replay/ownership.ts';
import { guidBytes } from '../../../worker/state/entry-identity.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { hubId, manifest, openState, silent, upsert } from '../../kit/worker/fixture.ts';

function setup() {
  const local = openState();
  const target = {
    beacon: 'db-1',
    connection: 1,
    isReady: true,
    generation: 1,
    carrierOf: () => 'meadow-proxy',
    storeId: 'store-1',
    endpoints: new Map(),
  };
  const assignments = {
    of: () => ({ beacon: 'db-1', connection: 1 }),
    targetOf: () => target,
  } as unknown as Assignments;
  const faults: string[] = [];
  const deliveryOf = (lane: Lane) =>
    new LaneDelivery({
      lane,
      hubId,
      assignments,
      dispatcher: {} as Dispatcher,
      journal: local.journal,
      marks: local.marks,
      blocked: local.blocked,
      ownership: new Ownership({
        owners: local.journal.owners,
        clock: new ManualClock(),
        log: silent,
        onDeposed: () => undefined,
      }),
      log: silent,
      isPaused: () => false,
      onFault: (message) => faults.push(message),
    });
  const lanes = { queue: deliveryOf('queue'), manifest: deliveryOf('manifest') };
  local.journal.append([upsert('w', 'w'), manifest('m', 'm')], 1);
  const settle = async (lane: Lane) => {
    const destination = await lanes[lane].destination();
    local.marks.settle(destination?.database ?? 0, lane, {
      throughSeq: local.journal.counts(lane).head,
      throughGuid: guidBytes(guidOf('x')),
      recordedMs: 1,
      nowMs: 1,
      applied: 1,
      present: 0,
      blocked: [],
      carrier: 'meadow-proxy',
    });
  };
  return { ...local, target, lanes, settle, faults };
}

test('each lane learns by itself that its database is another one, whichever looks first (I4)', async () => {
  const { target, lanes, settle, journal } = setup();
  await settle('queue');
  await settle('manifest');
  Object.assign(target, { generation: 2, storeId: 'store-2' });
  await lanes.queue.destination();
  expect(lanes.queue.mark()?.seq).toBe(0);
  await lanes.manifest.destination();
  expect(lanes.manifest.mark()?.seq).toBe(0);
  expect(journal.counts('manifest').head).toBeGreaterThan(0);
});

test('a beacon that was only restarted moves no mark (I4)', async () => {
  const { target, lanes, settle } = setup();
  await settle('queue');
  const before = lanes.queue.mark()?.seq;
  target.generation = 2;
  await lanes.queue.destination();
  expect(lanes.queue.mark()?.seq).toBe(before);
});

test('nothing is delivered while the target is not ready; the destination is the same until a change', async () => {
  const { target, lanes } = setup();
  const first = await lanes.queue.destination();
  expect(await lanes.queue.destination()).toBe(first);
  target.isReady = false;
  expect(await lanes.queue.destination()).toBeNull();
  target.isReady = true;
  target.generation = 2;
  expect(await lanes.queue.destination()).not.toBe(first);
});

test('a look at a lane without a mark on a full disk finds none instead of failing (I10)', () => {
  const { lanes, store, marks, journal } = setup();
  store.db.pragma(`max_page_count = ${Number(store.db.pragma('page_count', { simple: true }))}`);
  const fill = store.db.prepare(
    'insert into boot (id, pid, started_ms, first_seq) values (hex(zeroblob(20000)), 1, 1, 1)',
  );
  marks.open = () => {
    fill.run();
    throw new Error('there was room');
  };
  expect(lanes.queue.mark()).toBeNull();
  expect(journal.counts('queue').accepted).toBe(1);
});
