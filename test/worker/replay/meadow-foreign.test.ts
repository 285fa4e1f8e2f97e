/**
 * Reads and deliveries of a worker at a beacon with the incumbent's quirks: the answers come from
 * its database, not from the journal.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { Row, RowQuery } from '../../../contracts/mutation.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { pagesOf } from '../../../worker/beacons/foreign-rows.ts';
import type { Place } from '../../kit/conformance/backends.ts';
import { makeIncumbent } from '../../kit/conformance/incumbent.ts';
import { type Quirk, QuirkyBeacon } from '../../kit/quirky/quirky-beacon.ts';
import { serveQuirky } from '../../kit/quirky/quirky-beacon-bus.ts';
import {
  folderOfTest,
  event,
  manifest,
  patch,
  silent,
  upsert,
  write,
} from '../../kit/worker/fixture.ts';
import { World } from '../../kit/worker/with-beacon.ts';

type Rig = {
  world: World;
  path: string;
  settle: (...envelopes: WriteEnvelope[]) => Promise<void>;
  rows: (sql: string) => Record<string, unknown>[];
};

/** @param prepare makes what is in the database before the beacon opens it */
async function start({
  quirks = [] as Quirk[],
  prepare = (_path: string): Promise<void> => Promise.resolve(),
} = {}): Promise<Rig> {
  const world = await World.start();
  onTestFinished(() => world[Symbol.asyncDispose]());
  const path = join(folderOfTest().path, 'theirs.sqlite');
  await prepare(path);
  const beacon = new QuirkyBeacon(path, quirks);
  const bus = await Bus.connect({ servers: world.nats.url, name: 'theirs' }, silent);
  const stop = await serveQuirky(beacon, bus, 'theirs');
  onTestFinished(async () => {
    await stop();
    await bus.close();
    beacon.close();
  });
  await world.assign('theirs');
  const settle = async (...envelopes: WriteEnvelope[]) => {
    await world.accept(...envelopes);
    await world.drained();
    await world.forget();
  };
  const rows = (sql: string) => {
    const database = new Database(path);
    try {
      return database.prepare(sql).all() as Record<string, unknown>[];
    } finally {
      database.close();
    }
  };
  return { world, path, settle, rows };
}

test('defect 37: each hash finds itself and nothing else, in keys, in lists of values and behind a page', async () => {
  const { world, settle } = await start();
  const fixed = [
    'nosuch~FBVOR~Status~EQ~Pending',
    'a~b',
    'a_b',
    'axb',
    'A~b',
    'a%b',
    'a\\b',
    'a,b',
    'a',
    'b',
    "o'brien",
    '100%',
    'a%7Eb',
    'a/b',
    '(a)',
    '~',
    '..',
    '?x=1#y',
  ];
  const found = fc.sample(
    fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => text.isWellFormed() && !text.includes('\u0000')),
    20,
  );
  const hashes = [...new Set([...fixed, ...found])];
  await settle(
    ...hashes.map((hash, n) =>
      upsert(hash, `hash${n}`, { RunID: hash, Status: 'Pending', Priority: n, EnqueuedAt: 'same' }),
    ),
  );
  for (const [n, hash] of hashes.entries()) {
    expect(await world.read('QP_GetWorkItemByHash', { WorkItemHash: hash })).toMatchObject({
      Source: 'beacon',
      WorkItem: { WorkItemHash: hash, Priority: n },
    });
  }
  const inList = await world.list('QP_ListWorkItems', { RunID: fixed.slice(0, 9) });
  expect(inList.rows.map((row) => row['WorkItemHash']).toSorted()).toEqual(
    fixed.slice(0, 9).toSorted(),
  );
  for (const OrderBy of ['EnqueuedAt', '-EnqueuedAt']) {
    const { rows, sources } = await world.list('QP_ListWorkItems', { OrderBy, Limit: 3 });
    expect(rows.map((row) => row['WorkItemHash']).toSorted()).toEqual(hashes.toSorted());
    expect([...sources]).toEqual(['beacon']);
  }
  await settle(patch('nosuch~FBVOR~Status~EQ~Pendin', 'attack', { Status: 'HACKED' }));
  expect(
    (await world.list('QP_ListWorkItems', { Status: 'HACKED' })).rows.map(
      (row) => row['WorkItemHash'],
    ),
  ).toEqual(['nosuch~FBVOR~Status~EQ~Pendin']);
}, 60_000);

test('defect 32: a list of more rows than a page has them all once, in order', async () => {
  const { world, settle } = await start();
  const hashes = Array.from({ length: 600 }, (_, n) => `h${String(n).padStart(3, '0')}`);
  await settle(...hashes.map((hash, n) => upsert(hash, hash, { EnqueuedAt: `t${n % 7}` })));
  const reply = await world.read('QP_ListWorkItems', {
    Filter: { Limit: 1_000, OrderBy: 'EnqueuedAt' },
  });
  expect(reply.Source).toBe('beacon');
  expect((reply['WorkItems'] as { WorkItemHash: string }[]).map((row) => row.WorkItemHash)).toEqual(
    hashes.toSorted(
      (a, b) => (Number(a.slice(1)) % 7) - (Number(b.slice(1)) % 7) || (a < b ? -1 : 1),
    ),
  );
  await settle(
    ...Array.from({ length: 300 }, (_, n) =>
      event('busy', `e${n}`, { EmittedAt: 'same', Seq: n, EventType: `type${n}` }),
    ),
  );
  const events = (await world.read('QP_GetEvents', { WorkItemHash: 'busy' }))['Events'] as {
    EventType: string;
  }[];
  expect(events.map((one) => one.EventType)).toEqual(
    Array.from({ length: 300 }, (_, n) => `type${n}`),
  );
}, 60_000);

test('a list of many long values is asked in as many paths as the server takes', async () => {
  const { world, settle } = await start();
  const runs = Array.from({ length: 48 }, (_, n) => `${n}`.padStart(3, '0') + '☃'.repeat(120));
  await settle(
    ...runs.map((run, n) =>
      upsert(`item${n}`, `run${n}`, { RunID: run, Status: n % 2 === 0 ? 'Pending' : 'Running' }),
    ),
  );
  const { rows } = await world.list('QP_ListWorkItems', {
    RunID: runs,
    Status: ['Pending', 'Running'],
    Limit: 100,
  });
  expect(rows.map((row) => row['RunID']).toSorted()).toEqual(runs);
});

test('a page whose rows are too large together is asked for in smaller ones, and a row that is too large alone is told', async () => {
  const all: Row[] = Array.from({ length: 20 }, (_, n) => ({
    IDUVManifest: n + 1,
    Hash: `m${n}`,
    HubID: 'h',
    Deleted: 0,
  }));
  const query = {
    Table: 'UVManifest',
    Terms: [{ Column: 'HubID', Values: ['h'] }],
    Order: [],
    Limit: 100,
  };
  const ask = (rowsMax: number) => (_query: RowQuery, begin: number, cap: number) =>
    cap > rowsMax
      ? Promise.reject(new TidemarkError('TOO_LARGE', 'ask for fewer rows'))
      : Promise.resolve(all.slice(begin, begin + cap));
  expect((await pagesOf(query, ask(3))).map((row) => row['Hash'])).toEqual(
    all.map((row) => row['Hash']),
  );
  await expect(pagesOf(query, ask(0))).rejects.toThrow('fewer rows');
});

test.for([{ quirks: [] as Quirk[] }, { quirks: ['put-ignores-deleted'] as Quirk[] }])(
  'defect 13: removed, brought back, removed again, whatever a PUT makes of Deleted: $quirks',
  async ({ quirks }) => {
    const { world, settle, rows } = await start({ quirks });
    const seen = () => rows('SELECT Deleted, Status, count(*) AS n FROM UVManifest')[0];
    await settle(manifest('m', 'm1', { Status: 'one' }));
    await settle(write('MS_RemoveManifest', 'm2', { RunHash: 'm' }));
    expect(seen()).toEqual({ Deleted: 1, Status: 'one', n: 1 });
    expect(await world.read('MS_GetManifest', { RunHash: 'm' })).toMatchObject({
      Success: true,
      Manifest: null,
      Source: 'beacon',
    });
    await settle(write('MS_RemoveManifest', 'm3', { RunHash: 'm' }));
    await settle(manifest('m', 'm4', { Status: 'two' }));
    expect(seen()).toEqual({ Deleted: 0, Status: 'two', n: 1 });
    await settle(write('MS_RemoveManifest', 'm5', { RunHash: 'm' }), manifest('other', 'o1', {}));
    expect(rows("SELECT Deleted FROM UVManifest WHERE Hash = 'm'")).toEqual([{ Deleted: 1 }]);
  },
);

test('a row that has the Seq of its removal and is still to be seen was left half done, and is removed', async () => {
  const { world, settle, rows, path } = await start({ quirks: ['put-ignores-deleted'] });
  await settle(manifest('m', 'm1', { Status: 'one' }));
  world.core.setPaused(true);
  await world.accept(write('MS_RemoveManifest', 'm2', { RunHash: 'm' }));
  const database = new Database(path);
  database
    .prepare('UPDATE UVManifest SET BridgeSeq = ?')
    .run(String(world.local.journal.counts('manifest').head));
  database.close();
  world.core.setPaused(false);
  await world.drained();
  expect(rows('SELECT Deleted FROM UVManifest')).toEqual([{ Deleted: 1 }]);
});

test('a database the incumbent made is taken over: its rows stay, ours have numbers where its new columns hold text', async () => {
  const { world, settle, rows } = await start({
    prepare: async (path) => {
      const database = new Database(path);
      const place = {
        query: (sql: string) => {
          database.exec(sql);
          return Promise.resolve([]);
        },
      };
      await makeIncumbent('sqlite', place as unknown as Place);
      database.close();
    },
  });
  await settle(
    upsert('new', 'new1', { Status: 'Pending', RequireAffinityMatch: true, CreatedAt: 'c' }),
    event('new', 'e1', { EventType: 'x', RunID: 'r' }),
  );
  await settle(
    write('QP_InsertAttempt', 'a1', {
      Attempt: { WorkItemHash: 'new', AttemptNumber: 1, BeaconID: 'b', DurationMs: 17 },
    }),
  );
  expect(
    rows(
      'SELECT typeof(BridgeSeq) AS type, BridgeSeq, RequireAffinityMatch AS flag FROM ' +
        "UVQueueWorkItem WHERE WorkItemHash = 'new'",
    ),
  ).toEqual([{ type: 'text', BridgeSeq: expect.stringMatching(/^[1-9][0-9]+$/), flag: '1.0' }]);
  await settle(patch('new', 'new2', { Status: 'Running' }));
  expect(await world.read('QP_GetWorkItemByHash', { WorkItemHash: 'new' })).toMatchObject({
    Source: 'beacon',
    WorkItem: { Status: 'Running', RequireAffinityMatch: true, CreatedAt: 'c' },
  });
  expect((await world.list('QP_ListWorkItems', {})).rows.map((row) => row['WorkItemHash'])).toEqual(
    ['new'],
  );
  expect(rows('SELECT WorkItemHash, HubID FROM UVQueueWorkItem ORDER BY 1')).toEqual([
    { WorkItemHash: 'Old-1', HubID: null },
    { WorkItemHash: 'Old-2', HubID: null },
    { WorkItemHash: 'new', HubID: 'hub1' },
  ]);
});

test('defect 11: an event that is stored with other words is a conflict and stays; one with the same words is already present', async () => {
  const { world, settle, path, rows } = await start();
  const [other, same] = [
    'e7e7e7e7-0000-4000-8000-000000000001',
    'e7e7e7e7-0000-4000-8000-000000000002',
  ];
  const database = new Database(path);
  const insert = database.prepare(
    'INSERT INTO UVQueueWorkItemEvent (EventGUID, WorkItemHash, EventType, EmittedAt, ' +
      "HubID, Payload) VALUES (?, ?, ?, 't', 'hub1', '{}')",
  );
  insert.run(other, 'z', 'theirs');
  insert.run(same, 'y', 'ours');
  database.close();
  await settle(
    ...[other, same].map((EventGUID, n) =>
      write('QP_AppendEvent', EventGUID, {
        Event: { EventGUID, WorkItemHash: 'zy'[n], EventType: 'ours', EmittedAt: 't' },
      }),
    ),
  );
  expect(rows('SELECT EventGUID, EventType FROM UVQueueWorkItemEvent ORDER BY 1')).toEqual([
    { EventGUID: other, EventType: 'theirs' },
    { EventGUID: same, EventType: 'ours' },
  ]);
  expect(
    world.local.blocked.count(
      world.destinations.deliveries.queue.mark()?.database ?? 0,
      'queue',
      'dead',
    ),
  ).toBe(1);
});

test('what the database refuses for good costs one dead letter and holds nothing up; a missing column is made again', async () => {
  const { settle, path, rows } = await start();
  const database = new Database(path);
  onTestFinished(() => void database.close());
  database.exec(
    "CREATE TRIGGER no BEFORE INSERT ON UVQueueWorkItem WHEN NEW.WorkItemHash = 'bad' " +
      "BEGIN INSERT INTO UVQueueWorkItem (WorkItemHash, HubID, Status) VALUES ('x', " +
      "'x', NULL); END",
  );
  await settle(upsert('bad', 'bad', {}), upsert('good', 'good', {}));
  expect(rows('SELECT WorkItemHash FROM UVQueueWorkItem')).toEqual([{ WorkItemHash: 'good' }]);
  database.exec('ALTER TABLE UVQueueWorkItem DROP COLUMN StalledAt');
  await settle(upsert('after', 'after', { StalledAt: 's' }));
  expect(rows("SELECT StalledAt FROM UVQueueWorkItem WHERE WorkItemHash = 'after'")).toEqual([
    { StalledAt: 's' },
  ]);
}, 30_000);
