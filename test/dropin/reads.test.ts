/**
 * Reads as a hub uses them: lists whole and newest first, and what waits in the hub answered from
 * there while nobody else answers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from '../kit/source.ts';
import { ok, openBridges } from '../kit/processes/open-bridges.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

const { stack, queueOf, manifestsOf } = openBridges();
const dir = tempDir('hub-reads');
afterAll(() => dir[Symbol.dispose]());

const timeOf = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString();

test('a list of runs without a limit is all of them, newest first, not the oldest 500', async () => {
  const manifests = manifestsOf();
  await Promise.all(
    Array.from({ length: 620 }, (_, n) =>
      manifests.upsertManifest({ Hash: `r${n}`, Status: 'Complete', StartTime: timeOf(n) }),
    ),
  );
  const { Manifests } = await manifests.listManifests({});
  expect((Manifests as { Hash: string }[]).map(({ Hash }) => Hash)).toEqual(
    Array.from({ length: 620 }, (_, n) => `r${619 - n}`),
  );
  const five = await manifests.listManifests({ Limit: 5, OrderBy: 'StartTime' });
  expect((five['Manifests'] as { Hash: string }[]).map(({ Hash }) => Hash)).toEqual([
    'r0',
    'r1',
    'r2',
    'r3',
    'r4',
  ]);
});

test('a repeat under its EventGUID is AlreadyPresent, as the hub answers one itself', async () => {
  const queue = queueOf();
  const event = {
    WorkItemHash: 'rep',
    EventType: 'enqueued',
    EventGUID: '0190a000-0000-7000-8000-000000000001',
  };
  expect(await queue.appendEvent(event)).not.toHaveProperty('AlreadyPresent');
  expect(await queue.appendEvent(event)).toMatchObject({ Duplicate: true, AlreadyPresent: true });
});

test("a name of the hub's list means the one databeacon; one that nobody has is said in LastError", async () => {
  const queue = queueOf();
  expect(await queue.setPersistenceAssignment('bcn-database-1763712000000', 1)).toMatchObject(ok);
  await until('it is assigned', () => queue.getPersistenceStatus().AssignedBeaconID === 'db-1');
  void queue.setPersistenceAssignment('nosuch', 1);
  expect(
    await until('the names are said', () => queue.getPersistenceStatus().LastError, {
      deadlineMs: 20_000,
    }),
  ).toBe('no databeacon is named nosuch; there are: db-1');
  await queue.setPersistenceAssignment('db-1', 1);
  await until('it is back', () => queue.isBeaconAvailable());
}, 60_000);

describe('while the worker is away', () => {
  test('what waits here is answered from here, all else at once as not available; later all is there', async () => {
    const queue = queueOf({ File: dir.at('queue.sqlite') });
    const manifests = manifestsOf({ File: dir.at('queue.sqlite') });
    const item = { WorkItemHash: 'w1', Status: 'Pending', EnqueuedAt: timeOf(1) };
    expect(await queue.upsertWorkItem({ WorkItemHash: 'w0', Status: 'Complete' })).toMatchObject(
      ok,
    );
    await stack().worker.kill();
    const calls = [
      queue.upsertWorkItem(item),
      queue.updateWorkItem('w1', { Status: 'Running' }),
      queue.appendEvent({ WorkItemHash: 'w1', EventType: 'enqueued' }),
      manifests.upsertManifest({ Hash: 'away', Status: 'Complete', StartTime: timeOf(9_999) }),
    ];
    expect(await queue.getWorkItemByHash('w1')).toMatchObject({
      ...ok,
      Source: 'hub',
      WorkItem: { ...item, Status: 'Running' },
    });
    expect(await queue.getEvents('w1')).toMatchObject({
      ...ok,
      Events: [{ WorkItemHash: 'w1', EventType: 'enqueued' }],
    });
    expect(await queue.listWorkItems({ Status: 'Running' })).toMatchObject({
      ...ok,
      Partial: true,
      WorkItems: [{ WorkItemHash: 'w1' }],
    });
    expect(await manifests.getManifest('away')).toMatchObject({
      ...ok,
      Manifest: { Hash: 'away' },
    });
    const startedMs = performance.now();
    expect(await queue.getWorkItemByHash('w0')).toMatchObject({
      Available: false,
      Success: false,
      Code: 'UNAVAILABLE',
      WorkItem: null,
    });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(queue.getPersistenceStatus()).toMatchObject({
      Unanswered: 3,
      File: { State: 'open', Path: dir.at('queue.sqlite') },
    });
    stack().worker.restart();
    expect(await Promise.all(calls)).toEqual(
      calls.map(() => expect.objectContaining(ok) as object),
    );
    const { Manifests } = await manifests.listManifests({});
    expect((Manifests as object[])[0]).toMatchObject({ Hash: 'away' });
  }, 90_000);
});

/** A hub of two files, each a bridge of its own, as the hub loads them. */
const hubCode = `
const Queue = require('./services/Ultravisor-QueuePersistenceBridge.cjs');
const Manifest = require('./services/Ultravisor-ManifestStoreBridge.cjs');
console.log(JSON.stringify([Queue, Manifest].map((one) => [one.name, one.isFableService === true])));
`;

test('node -r tidemark/preload puts the bridges into a hub of which no file is changed', async () => {
  mkdirSync(dir.at('hub', 'services'), { recursive: true });
  for (const name of ['QueuePersistenceBridge', 'ManifestStoreBridge'])
    writeFileSync(
      dir.at('hub', 'services', `Ultravisor-${name}.cjs`),
      'module.exports = class Before {};',
    );
  writeFileSync(dir.at('hub', 'hub.cjs'), hubCode);
  const run = async (...args: string[]) =>
    JSON.parse(
      (await promisify(execFile)(process.execPath, [...args, dir.at('hub', 'hub.cjs')])).stdout,
    ) as unknown;
  expect(await run()).toEqual([
    ['Before', false],
    ['Before', false],
  ]);
  expect(await run('-r', join(root, 'dropin', 'preload.cjs'))).toEqual([
    ['QueuePersistenceBridge', true],
    ['ManifestStoreBridge', true],
  ]);
});
