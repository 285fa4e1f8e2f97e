/**
 * Reads over a real databeacon: a hub sees what it wrote, whether it is delivered, pending or the
 * database is away.
 */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';
import { event, manifest, patch, upsert, write } from '../../kit/worker/fixture.ts';
import { seesEventsInOrder, seesPendingOverDelivered } from '../../kit/worker/read-cases.ts';
import { World } from '../../kit/worker/with-beacon.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
  await world.startBeacon('db-1');
  await world.assign('db-1');
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

const item = async (hash: string) => world.read('QP_GetWorkItemByHash', { WorkItemHash: hash });

describe("defect 34: reading one's own writes", () => {
  test('a read right behind each accepted write shows it, delivered or not', async () => {
    for (let n = 0; n < 30; n++) {
      await world.accept(
        n === 0
          ? upsert('own', 'own0', { Status: 's0', Settings: { a: 1 } })
          : patch('own', `own${n}`, { Status: `s${n}` }),
      );
      const reply = await item('own');
      expect(reply['WorkItem']).toMatchObject({ Status: `s${n}`, Settings: { a: 1 } });
      expect(['merged', 'beacon']).toContain(reply.Source);
    }
    await world.drained();
    expect((await item('own')).Source).toBe('beacon');
  });

  test('a pending patch lies over the row of the database, and says so', () =>
    seesPendingOverDelivered(world));

  test('events come once, oldest first, pending ones among those of the database', () =>
    seesEventsInOrder(world));
});

describe('defect 35: a miss is success with nothing, only a failure fails', () => {
  test('by hash, by run, in lists', async () => {
    expect(await item('nobody')).toMatchObject({
      Available: true,
      Success: true,
      WorkItem: null,
      Source: 'beacon',
    });
    expect(await world.read('MS_GetManifest', { RunHash: 'nobody' })).toMatchObject({
      Success: true,
      Manifest: null,
      Row: null,
    });
    expect(await world.read('QP_GetEvents', { WorkItemHash: 'nobody' })).toMatchObject({
      Success: true,
      Events: [],
    });
    expect(await world.read('QP_ListWorkItems', { Filter: { RunID: 'nobody' } })).toMatchObject({
      Success: true,
      WorkItems: [],
    });
  });
});

describe('defect 36: one shape, wherever the answer comes from', () => {
  const sent = {
    Hash: 'm',
    Status: 'Complete',
    Live: true,
    StartTime: 's',
    Output: { deep: [1, null] },
    Log: 'text',
  };

  test('the manifest as it was sent, with its row beside; pending, delivered, removed, brought back', async () => {
    world.core.setPaused(true);
    const { Hash, ...fields } = sent;
    await world.accept(manifest(Hash, 'm1', fields));
    const get = () => world.read('MS_GetManifest', { RunHash: 'm' });
    expect(await get()).toMatchObject({
      Source: 'merged',
      Manifest: sent,
      Row: { Hash: 'm', Status: 'Complete', Live: true, ElapsedMs: 0 },
    });
    world.core.setPaused(false);
    await world.drained();
    expect(await get()).toMatchObject({
      Source: 'beacon',
      Manifest: sent,
      Row: { Live: true, ElapsedMs: 0 },
    });
    expect((await get())['Row']).not.toHaveProperty('ManifestJSON');
    await world.accept(write('MS_RemoveManifest', 'm2', { RunHash: 'm' }));
    expect(await get()).toMatchObject({ Manifest: null });
    await world.drained();
    expect(await get()).toMatchObject({ Source: 'beacon', Manifest: null });
    await world.accept(manifest(Hash, 'm3', { Status: 'Again' }));
    expect(await get()).toMatchObject({
      Manifest: { Hash: 'm', Status: 'Again' },
      Row: { Live: false },
    });
  });

  test('a list gives rows without the blob unless it is asked for', async () => {
    await world.accept(manifest('full', 'full1', { OperationHash: 'op-full', Output: { big: 1 } }));
    for (const _ of ['pending', 'delivered']) {
      const [slim] = (await world.list('MS_ListManifests', { OperationHash: 'op-full' })).rows;
      expect(slim).not.toHaveProperty('ManifestJSON');
      const [full] = (
        await world.list('MS_ListManifests', { OperationHash: 'op-full', Full: true })
      ).rows;
      expect(full?.['ManifestJSON']).toEqual({
        Hash: 'full',
        OperationHash: 'op-full',
        Output: { big: 1 },
      });
      await world.drained();
    }
  });
});

describe('defect 37: hashes are values, whatever they hold', () => {
  test('filter text, quotes, percent signs, slashes, tildes, unicode: each finds itself and nothing else', async () => {
    const fixed = [
      'nosuch~FBVOR~Status~EQ~Pending',
      "o'brien",
      '100%',
      'a%7Eb',
      'a~b',
      'a/b',
      'a\\b',
      'ä\u0308',
      '\u{1F600}',
      'a,b',
      ' ',
      '?x=1#y',
      '"quoted"',
      '(a)',
      '*',
      '\n\t',
      '..',
    ];
    const found = fc.sample(
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
        .filter((text) => text.isWellFormed() && !text.includes('\u0000')),
      20,
    );
    const hashes = [...new Set([...fixed, ...found])];
    await world.accept(
      ...hashes.map((hash, n) => upsert(hash, `hash${n}`, { Status: 'Pending', Priority: n })),
    );
    await world.drained();
    await world.forget();
    for (const [n, hash] of hashes.entries())
      expect((await item(hash))['WorkItem']).toMatchObject({ WorkItemHash: hash, Priority: n });
    await world.accept(patch('nosuch~FBVOR~Status~EQ~Pendin', 'attack', { Status: 'HACKED' }));
    await world.drained();
    expect(
      (await world.list('QP_ListWorkItems', { Status: 'HACKED' })).rows.map(
        (row) => row['WorkItemHash'],
      ),
    ).toEqual(['nosuch~FBVOR~Status~EQ~Pendin']);
  });

  test('and so are the values of a filter', async () => {
    await world.accept(upsert('by-run', 'by-run', { RunID: 'r~FBVOR~Status~NE~x' }));
    await world.drained();
    expect(
      (await world.list('QP_ListWorkItems', { RunID: 'r~FBVOR~Status~NE~x' })).rows.map(
        (row) => row['WorkItemHash'],
      ),
    ).toEqual(['by-run']);
  });
});

describe('defect 44: what a database says when it refuses is told', () => {
  test('a read that fails names the cause, and is answered from the journal', async () => {
    await world.accept(upsert('kept', 'kept1', { Status: 'here' }));
    await world.drained();
    const db = new Database(world.databasePath('db-1'));
    db.exec('alter table UVQueueWorkItem rename to Hidden');
    const reply = await item('kept');
    expect(reply).toMatchObject({ Success: true, Source: 'journal', WorkItem: { Status: 'here' } });
    db.exec('alter table Hidden rename to UVQueueWorkItem');
    db.close();
    await until('the beacon answers again', async () => (await item('kept')).Source === 'beacon');
  });
});

describe('the database is away', () => {
  test('the journal answers, says so, and says what it cannot know', async () => {
    await world.accept(
      upsert('away', 'away1', { Status: 'Pending', RunID: 'away', EnqueuedAt: 'x' }),
      event('away', 'away2'),
    );
    await world.drained();
    await world.stopBeacon('db-1');
    await until(
      'the beacon is away',
      () => world.destinations.assignments.targetOf('queue')?.state === 'waiting-for-beacon',
    );
    await world.accept(
      patch('away', 'away3', { Status: 'Running' }),
      upsert('away-b', 'away4', { RunID: 'away', EnqueuedAt: 'w' }),
    );
    expect(await item('away')).toMatchObject({
      Source: 'journal',
      WorkItem: { Status: 'Running', MaxAttempts: 1 },
    });
    expect(await world.read('QP_GetEvents', { WorkItemHash: 'away' })).toMatchObject({
      Source: 'journal',
      Events: [{ EventGUID: guidOf('away2') }],
    });
    const { rows, sources } = await world.list('QP_ListWorkItems', { RunID: 'away', Limit: 1 });
    expect({ rows: rows.map((row) => row['WorkItemHash']), sources: [...sources] }).toEqual({
      rows: ['away-b', 'away'],
      sources: ['journal'],
    });
    // Retention has taken bodies in the tests above: what was never heard of may yet be in the
    // database.
    expect(await item('away')).toMatchObject({ Partial: true });
    await expect(item('unheard')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await world.read('QP_ListWorkItems', { Filter: { RunID: 'away' } })).toMatchObject({
      Partial: true,
    });
    await world.startBeacon('db-1');
    await until(
      'the beacon is back',
      () => world.destinations.assignments.targetOf('queue')?.isReady,
    );
    await world.drained();
    expect(await item('away')).toMatchObject({ Source: 'beacon', WorkItem: { Status: 'Running' } });
  });

  test('a beacon that goes while it is asked: the journal answers', async () => {
    await world.accept(upsert('mid', 'mid1', { Status: 'x' }));
    const reads = Array.from({ length: 40 }, () => item('mid'));
    const stopped = world.stopBeacon('db-1');
    const replies = await Promise.all([...reads, item('mid')]);
    await stopped;
    expect(replies.every((reply) => (reply['WorkItem'] as { Status: string }).Status === 'x')).toBe(
      true,
    );
    expect((await item('mid')).Source).toBe('journal');
    await world.startBeacon('db-1');
    await until(
      'the beacon is back',
      () => world.destinations.assignments.targetOf('queue')?.isReady,
    );
  });
});
