/**
 * Defects of where a backlog goes: the assigned databeacon, another connection, a shared database.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRows } from '../kit/rows/compare.ts';
import { manifest, upsert } from '../kit/worker/fixture.ts';
import { World } from '../kit/worker/with-beacon.ts';

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
});

const rows = (table: string, beacon = 'db-1', connection = 1) =>
  readRows(world.databasePath(beacon, connection), table);
const hashes = () =>
  rows('UVQueueWorkItem')
    .map((row) => row['WorkItemHash'])
    .toSorted();

async function attach(): Promise<void> {
  await world.startBeacon('db-1');
  await world.assign('db-1');
}

describe('where it goes', () => {
  test('defect 20: with two databeacons there, only the assigned one gets tables and rows', async () => {
    await world.startBeacon('customer');
    await world.startBeacon('db-1');
    await world.assign('db-1');
    await world.accept(upsert('w', 'w'), manifest('m', 'm'));
    await world.drained();
    expect(hashes()).toEqual(['w']);
    expect(() => rows('UVQueueWorkItem', 'customer')).toThrow(/no such table|unable to open/);
  });

  test('defect 24: after re-assignment to another connection of its beacon, that one gets everything', async () => {
    await attach();
    await world.accept(upsert('one', 'one'));
    await world.drained();
    await world.assign('db-1', 2);
    await world.accept(upsert('two', 'two'));
    await world.drained();
    expect(
      rows('UVQueueWorkItem', 'db-1', 2)
        .map((row) => row['WorkItemHash'])
        .toSorted(),
    ).toEqual(['one', 'two']);
    expect(hashes()).toEqual(['one']);
  });

  test('defect 47: hubs share a database without sharing rows', async () => {
    await attach();
    await world.accept(upsert('w', 'w'));
    await world.drained();
    expect(rows('UVQueueWorkItem')).toMatchObject([{ HubID: 'hub1', WorkItemHash: 'w' }]);
  });
});
