/**
 * Databases that fail, lose tables, are lost, restored or exchanged underneath: nothing accepted is
 * missing afterwards.
 */
import { copyFileSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRows } from '../kit/rows/compare.ts';
import { until } from '../kit/until.ts';
import { event, manifest, patch, upsert } from '../kit/worker/fixture.ts';
import { World } from '../kit/worker/with-beacon.ts';

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
});

const path = () => world.databasePath('db-1');
const rows = (table: string) => readRows(path(), table);
const hashes = () =>
  rows('UVQueueWorkItem')
    .map((row) => row['WorkItemHash'])
    .toSorted();
const carriers: [string, boolean][] = [
  ['batch', true],
  ['meadow-proxy', false],
];

async function attach(isBatchOn: boolean): Promise<void> {
  await world.startBeacon('db-1', { isBatchOn });
  await world.assign('db-1');
}

function exec(sql: string): void {
  const db = new Database(path());
  db.exec(sql);
  db.close();
}

function noDeadLetters(): void {
  for (const lane of ['queue', 'manifest'] as const) {
    const mark = world.destinations.deliveries[lane].mark();
    expect(world.local.blocked.list(mark?.database ?? 0, 10)).toEqual([]);
  }
}

describe.each(carriers)('by %s', (_name, isBatchOn) => {
  test('defect 25: a table dropped under a running beacon comes back, with what is written from then on', async () => {
    await attach(isBatchOn);
    await world.accept(upsert('before', 'before'), event('before', 'before-event'));
    await world.drained();
    exec('drop table UVQueueWorkItemEvent');
    await world.accept(
      event('before', 'after-event'),
      patch('before', 'after', { Status: 'Running' }),
    );
    await world.drained();
    expect(rows('UVQueueWorkItemEvent').map((row) => row['WorkItemHash'])).toContain('before');
    expect(rows('UVQueueWorkItem')).toMatchObject([{ Status: 'Running' }]);
    noDeadLetters();
  });

  test('defect 3: a database that is locked by another loses nothing', async () => {
    await attach(isBatchOn);
    await world.accept(upsert('before', 'before'));
    await world.drained();
    const other = new Database(path());
    other.exec('begin exclusive');
    await world.accept(upsert('during', 'during'), manifest('m', 'during-m'));
    await until(
      'a delivery failed',
      () =>
        world.destinations.deliveries.queue.mark()?.seq !==
        world.local.journal.counts('queue').head,
    );
    other.exec('rollback');
    other.close();
    await world.drained();
    expect(hashes()).toEqual(['before', 'during']);
    noDeadLetters();
  });

  test('a database that was lost and made anew gets all of both lanes again (I4)', async () => {
    await attach(isBatchOn);
    await world.accept(upsert('w', 'w'), event('w', 'e'), manifest('m', 'm'));
    await world.drained();
    await world.stopBeacon('db-1');
    for (const end of ['', '-wal', '-shm']) rmSync(path() + end, { force: true });
    await world.startBeacon('db-1', { isBatchOn });
    await until(
      'both lanes are there again',
      () =>
        hashes().length === 1 &&
        rows('UVQueueWorkItemEvent').length === 1 &&
        rows('UVManifest').length === 1,
    );
    await world.accept(patch('w', 'p', { Status: 'after' }));
    await world.drained();
    expect(rows('UVQueueWorkItem')).toMatchObject([{ Status: 'after' }]);
    noDeadLetters();
  });
});

test('a database restored from a backup gets what it lost, and only the mark that was really older moves (I4)', async () => {
  await attach(true);
  await world.accept(upsert('kept', 'kept'), manifest('m', 'm'));
  await world.drained();
  await world.stopBeacon('db-1');
  copyFileSync(path(), `${path()}.backup`);
  await world.startBeacon('db-1');
  await world.accept(upsert('lost', 'lost'), patch('kept', 'patched', { Status: 'Running' }));
  await world.drained();
  const manifestMark = world.destinations.deliveries.manifest.mark();
  await world.stopBeacon('db-1');
  for (const end of ['', '-wal', '-shm']) rmSync(path() + end, { force: true });
  copyFileSync(`${path()}.backup`, path());
  await world.startBeacon('db-1');
  await until('what was lost is there again', () => hashes().length === 2);
  await world.drained();
  expect(rows('UVQueueWorkItem').find((row) => row['WorkItemHash'] === 'kept')).toMatchObject({
    Status: 'Running',
  });
  expect(world.destinations.deliveries.manifest.mark()).toMatchObject({
    seq: manifestMark?.seq,
    applied: 1,
  });
  noDeadLetters();
});
