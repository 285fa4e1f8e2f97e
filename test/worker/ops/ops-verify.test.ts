/**
 * verify-applied against a real databeacon: what is missing, older or changed behind the worker's
 * back is found, and sent again where that can help.
 */
import Database from 'better-sqlite3';
import { systemClock } from '../../../runtime/clock.ts';
import { expect, test } from 'vitest';
import { Overview } from '../../../worker/operators/overview.ts';
import { Operations } from '../../../worker/ops/operations.ts';
import { until } from '../../kit/until.ts';
import { event, hubId, manifest, patch, upsert, write } from '../../kit/worker/fixture.ts';
import { World } from '../../kit/worker/with-beacon.ts';

type Rows = Record<string, unknown>[];

/** Runs it as a worker does. */
async function verify(world: World, args: Record<string, string> = {}) {
  const said: string[] = [];
  const operations = new Operations({
    store: world.local.store,
    hubId,
    folder: '/nowhere',
    host: 'h',
    version: '1',
    skips: { flags: [], allUntilMs: null },
    clock: systemClock,
    backend: (lane, query) => world.core.hub.view(lane).fromBackend(query),
  });
  const {
    Results: [result],
  } = await operations.runOne('verify-applied', {
    by: 'control',
    say: (line) => said.push(line),
    args,
  });
  world.core.wakeAll();
  return { result, said };
}

function backend<T>(world: World, use: (db: Database.Database) => T): T {
  const db = new Database(world.databasePath('db-1'));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

const tables = [
  'UVQueueWorkItem',
  'UVQueueWorkItemEvent',
  'UVQueueWorkItemAttempt',
  'UVManifest',
] as const;

/** All rows without the ids and dates the database gives. */
function dump(world: World): Rows {
  return backend(world, (db) =>
    tables.flatMap((table) =>
      (db.prepare(`select * from ${table} order by BridgeSeq`).all() as Rows).map((row) =>
        Object.fromEntries(
          Object.entries(row).filter(
            ([name]) =>
              !name.startsWith('IDUV') && name !== 'GUIDUV' && !/(Create|Update)Date$/.test(name),
          ),
        ),
      ),
    ),
  );
}

/** I10 of both lanes, counted as the worker counts it. */
function differences(world: World): number[] {
  const overview = new Overview({
    hubId,
    version: '1',
    ...world.local,
    assignments: world.destinations.assignments,
    deliveries: world.destinations.deliveries,
    clock: systemClock,
    isPaused: () => false,
    bus: () => ({ Connected: true, Server: null, Reconnects: 0 }),
    capacity: () => null,
  } as unknown as ConstructorParameters<typeof Overview>[0]);
  return (['queue', 'manifest'] as const).map((lane) => overview.balance(lane).Difference);
}

async function worldWithRows(beacon: { isBatchOn?: boolean } = {}): Promise<World> {
  const world = await World.start();
  await world.startBeacon('db-1', beacon);
  await world.assign('db-1');
  for (const name of ['a', 'b', 'c']) {
    await world.accept(
      upsert(name, `${name}1`, {
        Status: 'Pending',
        Capability: 'Shell',
        Settings: { n: 1 },
        Odd: [1],
      }),
    );
    await world.accept(
      event(name, `${name}2`, { Payload: { x: 1 } }),
      write('QP_InsertAttempt', `${name}3`, {
        Attempt: { WorkItemHash: name, AttemptNumber: 1, BeaconID: 'x' },
      }),
    );
    await world.accept(
      patch(name, `${name}4`, { Status: 'Done', CancelRequested: true }),
      manifest(`m-${name}`, `${name}5`, { Status: 'Ok', Live: true, ElapsedMs: 12 }),
    );
  }
  await world.accept(write('MS_RemoveManifest', 'c6', { RunHash: 'm-c' }));
  await world.drained();
  return world;
}

test.for([true, false])(
  'a database that has everything is found sound (batch %s)',
  async (isBatchOn) => {
    await using world = await worldWithRows({ isBatchOn });
    expect((await verify(world)).result).toMatchObject({
      Result: 'applied',
      Note: '16 entries checked, all are in the database',
    });
    expect((await verify(world, { last: '2', lane: 'queue' })).result).toMatchObject({
      Note: '2 entries checked, all are in the database',
    });
  },
);

test('missing or older rows are named, and come back with repair=yes; counts stay whole meanwhile (I10)', async () => {
  await using world = await worldWithRows();
  const right = dump(world);
  backend(world, (db) => {
    db.exec(
      "delete from UVQueueWorkItem where WorkItemHash = 'a'; delete from " +
        "UVQueueWorkItemEvent where WorkItemHash = 'b'; delete from UVManifest where Hash = 'm-b'",
    );
    db.exec(
      "update UVQueueWorkItem set Status = 'Pending', BridgeSeq = 1 where WorkItemHash = 'c'",
    );
  });
  const looked = await verify(world);
  expect(looked.result).toMatchObject({
    Result: 'applied',
    Note: '16 entries checked: 4 missing, 2 older, 0 changed under the same BridgeSeq; 0 sent again',
  });
  expect(
    looked.said
      .filter((line) => /^(missing|older): /.test(line))
      .map((line) => line.replace(/, Seq \d+$/, '')),
  ).toEqual([
    'missing: QP_UpsertWorkItem a',
    'missing: QP_UpdateWorkItem a',
    'missing: QP_AppendEvent b',
    'older: QP_UpsertWorkItem c',
    'older: QP_UpdateWorkItem c',
    'missing: MS_UpsertManifest m-b',
  ]);
  const before = differences(world);
  const repaired = await verify(world, { repair: 'yes' });
  expect(repaired.result?.Note).toMatch(/13 sent again$/);
  expect([...before, ...differences(world)]).toEqual([0, 0, 0, 0]);
  await until('what was sent again is there', () =>
    (['queue', 'manifest'] as const).every(
      (lane) => world.local.blocked.oldestParked(1, lane) === null,
    ),
  );
  const byText = (rows: Rows) => rows.map((row) => JSON.stringify(row)).sort();
  expect(byText(dump(world))).toEqual(byText(right));
  expect(differences(world)).toEqual([0, 0]);
  expect((await verify(world)).result?.Note).toMatch(/all are in the database/);
});

test('a row changed by hand under the same BridgeSeq is named with its columns', async () => {
  await using world = await worldWithRows();
  backend(world, (db) =>
    db.exec("update UVQueueWorkItem set Status = 'Forged' where WorkItemHash = 'b'"),
  );
  const { result, said } = await verify(world, { repair: 'yes' });
  expect(result?.Note).toMatch(
    /0 missing, 0 older, 1 changed under the same BridgeSeq; 0 sent again/,
  );
  expect(said.some((line) => /^changed: QP_UpdateWorkItem b, Seq \d+: Status$/.test(line))).toBe(
    true,
  );
});

test('with the database away it fails, says so, and goes on from there when it is back', async () => {
  await using world = await worldWithRows();
  await world.stopBeacon('db-1');
  expect((await verify(world)).result).toMatchObject({
    Result: 'failed',
    Error: expect.stringMatching(/is away; run this again/) as string,
  });
  await world.startBeacon('db-1');
  await until(
    'the database is back',
    () => world.destinations.assignments.targetOf('queue')?.isReady,
  );
  expect((await verify(world)).result).toMatchObject({ Result: 'applied' });
});
