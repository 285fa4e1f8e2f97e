/**
 * Apply on a real file: each rule of a row mutation, the mark, and what a failing database means.
 */
import { renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import {
  applyTo,
  event,
  hub,
  manifest,
  now,
  openBackend,
  openEngine,
  outcomesOf,
  removal,
  rowsIn,
  workItem,
} from '../../kit/beacon/fixture.ts';

const later = '2026-11-21T09:00:00.000Z';

describe('write', () => {
  test('inserts with the descriptor’s defaults and stamps the row', async () => {
    const { engine, path } = await openBackend();
    expect(
      outcomesOf(
        await applyTo(engine, [
          workItem('a', 7, {
            Action: 'run',
            Priority: null,
            CancelRequested: true,
            RetryAfter: 1500,
          }),
        ]),
      ),
    ).toEqual(['applied']);
    expect(
      rowsIn(
        path,
        'SELECT HubID, WorkItemHash, Action, Status, Priority, CancelRequested, RetryAfter, ' +
          'BridgeSeq, Deleted, CreateDate, UpdateDate FROM UVQueueWorkItem',
      ),
    ).toEqual([
      {
        HubID: hub,
        WorkItemHash: 'a',
        Action: 'run',
        Status: 'Pending',
        Priority: 0,
        CancelRequested: 1,
        RetryAfter: '1500',
        BridgeSeq: 7,
        Deleted: 0,
        CreateDate: now,
        UpdateDate: now,
      },
    ]);
  });

  test('defect 12: overwrites what it gives and leaves the rest', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [manifest('m', 1, { Status: 'Waiting', RunMode: 'x', Live: true })]);
    expect(
      outcomesOf(
        await applyTo(engine, [manifest('m', 2, { Status: 'Complete', Live: false })], {
          now: later,
        }),
      ),
    ).toEqual(['applied']);
    expect(
      rowsIn(
        path,
        'SELECT Status, RunMode, Live, CreateDate, UpdateDate, BridgeSeq FROM UVManifest',
      ),
    ).toEqual([
      {
        Status: 'Complete',
        RunMode: 'x',
        Live: 0,
        CreateDate: now,
        UpdateDate: later,
        BridgeSeq: 2,
      },
    ]);
  });

  test('leaves a row of the same or a newer Seq alone', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [workItem('a', 5, { Status: 'New' })]);
    const again = await applyTo(
      engine,
      [workItem('a', 4, { Status: 'Old' }), workItem('a', 5, { Status: 'Other' })],
      { epoch: 'epoch-2' },
    );
    expect(outcomesOf(again)).toEqual(['already-present', 'already-present']);
    expect(rowsIn(path, 'SELECT Status FROM UVQueueWorkItem')).toEqual([{ Status: 'New' }]);
  });

  test('defect 13: brings a soft-deleted row back', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [
      manifest('m', 1),
      removal('m', 2),
      manifest('m', 3, { Status: 'Again' }),
    ]);
    expect(rowsIn(path, 'SELECT Status, Deleted, BridgeSeq FROM UVManifest')).toEqual([
      { Status: 'Again', Deleted: 0, BridgeSeq: 3 },
    ]);
  });

  test('fills only what is empty', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [workItem('a', 1, { StartedAt: 'then', Priority: 3 })]);
    await applyTo(engine, [
      workItem(
        'a',
        2,
        {},
        {
          Fill: { StartedAt: 'now', EnqueuedAt: 'now', Priority: 9, TimeoutMs: 9, LastError: 'x' },
        },
      ),
    ]);
    expect(
      rowsIn(
        path,
        'SELECT StartedAt, EnqueuedAt, Priority, TimeoutMs, LastError FROM UVQueueWorkItem',
      ),
    ).toEqual([
      { StartedAt: 'then', EnqueuedAt: 'now', Priority: 3, TimeoutMs: 9, LastError: 'x' },
    ]);
    await applyTo(engine, [workItem('b', 3, {}, { Fill: { StartedAt: 'now' } })]);
    expect(rowsIn(path, "SELECT StartedAt FROM UVQueueWorkItem WHERE WorkItemHash = 'b'")).toEqual([
      { StartedAt: 'now' },
    ]);
  });

  test('merges members into JSON text, also over text that cannot be read', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [
      workItem('a', 1, {}, { Merge: { Extra: { one: 1, two: { x: 1 } } } }),
      workItem('b', 2, { Extra: 'not json' }),
    ]);
    await applyTo(engine, [
      workItem('a', 3, {}, { Merge: { Extra: { two: { y: 2 }, three: null } } }),
      workItem('b', 4, {}, { Merge: { Extra: { n: 1 } } }),
    ]);
    expect(
      rowsIn(path, 'SELECT Extra FROM UVQueueWorkItem ORDER BY WorkItemHash').map(
        (row) => JSON.parse(String(row['Extra'])) as unknown,
      ),
    ).toEqual([{ one: 1, two: { y: 2 }, three: null }, { n: 1 }]);
  });
});

describe('insert', () => {
  test('inserts once; the same Seq, or the same content under another, is already present', async () => {
    const { engine, path } = await openBackend();
    const one = event('g', 1, { WorkItemHash: 'a', Payload: '{"x":1}' });
    expect(outcomesOf(await applyTo(engine, [one]))).toEqual(['applied']);
    const again = await applyTo(engine, [one, { ...one, Seq: 9 }], { epoch: 'epoch-2' });
    expect(outcomesOf(again)).toEqual(['already-present', 'already-present']);
    expect(rowsIn(path, 'SELECT EventGUID, BridgeSeq FROM UVQueueWorkItemEvent')).toEqual([
      { EventGUID: 'g', BridgeSeq: 1 },
    ]);
  });

  test('defect 10, defect 11: other content under the same key is a conflict that names the columns', async () => {
    const { engine } = await openBackend();
    await applyTo(engine, [event('g', 1, { WorkItemHash: 'a', BeaconID: 'b1' })]);
    const outputs = await applyTo(engine, [
      event('g', 2, { WorkItemHash: 'a', BeaconID: 'b2', Seq: null }),
    ]);
    expect(outputs.Results[0]).toMatchObject({ Outcome: 'conflict' });
    expect(outputs.Results[0]?.Reason).toMatch(/BeaconID/);
    expect(outputs.Results[0]?.Reason).not.toMatch(/WorkItemHash|Seq/);
  });

  test('compares values as the database stores them, and not what the worker filled in', async () => {
    const { engine } = await openBackend();
    const first = event(
      'g',
      1,
      { WorkItemHash: 'a', Seq: null, FromStatus: null, RunID: 12 },
      { Fill: { EmittedAt: 'one' } },
    );
    await applyTo(engine, [first]);
    const same = event(
      'g',
      2,
      { WorkItemHash: 'a', Seq: 0, FromStatus: '', RunID: '12' },
      { Fill: { EmittedAt: 'two' } },
    );
    expect(outcomesOf(await applyTo(engine, [same]))).toEqual(['already-present']);
  });
});

describe('delete', () => {
  test('is soft, happens once, and a row that is not there is as good as deleted', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [manifest('m', 1, { Status: 'Complete' })]);
    expect(
      outcomesOf(await applyTo(engine, [removal('m', 2), removal('none', 3)], { now: later })),
    ).toEqual(['applied', 'not-found']);
    expect(rowsIn(path, 'SELECT Deleted, BridgeSeq, UpdateDate, Status FROM UVManifest')).toEqual([
      { Deleted: 1, BridgeSeq: 2, UpdateDate: later, Status: 'Complete' },
    ]);
    expect(outcomesOf(await applyTo(engine, [removal('m', 2)], { epoch: 'epoch-2' }))).toEqual([
      'already-present',
    ]);
  });
});

describe('the mark', () => {
  test('is written with the rows, and what lies at or below it is skipped', async () => {
    const { engine, path } = await openBackend();
    const first = await applyTo(engine, [workItem('a', 1, { Status: 'One' })], { throughSeq: 4 });
    expect(first).toMatchObject({
      IsCommitted: true,
      Mark: { Epoch: 'epoch-1', Seq: 4, UpdatedAt: now },
    });
    const again = await applyTo(engine, [workItem('never', 3, {}), workItem('b', 5, {})], {
      throughSeq: 5,
    });
    expect(outcomesOf(again)).toEqual(['already-present', 'applied']);
    expect(rowsIn(path, 'SELECT HubID, Lane, Epoch, Seq FROM UVBridgeMark')).toEqual([
      { HubID: hub, Lane: 'queue', Epoch: 'epoch-1', Seq: 5 },
    ]);
    expect(rowsIn(path, 'SELECT WorkItemHash FROM UVQueueWorkItem ORDER BY 1')).toEqual([
      { WorkItemHash: 'a' },
      { WorkItemHash: 'b' },
    ]);
  });

  test('never moves back within an epoch; the mark of another epoch does not count', async () => {
    const { engine } = await openBackend();
    await applyTo(engine, [], { throughSeq: 9 });
    expect((await applyTo(engine, [], { throughSeq: 3 })).Mark).toMatchObject({ Seq: 9 });
    const other = await applyTo(engine, [workItem('a', 2)], { throughSeq: 2, epoch: 'epoch-2' });
    expect(outcomesOf(other)).toEqual(['applied']);
    expect(other.Mark).toMatchObject({ Epoch: 'epoch-2', Seq: 2 });
  });

  test('each hub and lane has its own', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [], { throughSeq: 3 });
    await applyTo(engine, [], { throughSeq: 4, lane: 'manifest' });
    await applyTo(engine, [], { throughSeq: 5, hubId: 'hub2' });
    expect(rowsIn(path, 'SELECT HubID, Lane, Seq FROM UVBridgeMark ORDER BY Seq')).toEqual([
      { HubID: hub, Lane: 'queue', Seq: 3 },
      { HubID: hub, Lane: 'manifest', Seq: 4 },
      { HubID: 'hub2', Lane: 'queue', Seq: 5 },
    ]);
  });

  test('below the mark nothing is skipped, the mark stays, good ones take effect beside a bad one', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [], { throughSeq: 9 });
    const outputs = await applyTo(engine, [workItem('a', 3), workItem('b', 4, { Nope: 1 })], {
      throughSeq: 99,
      isBelowMark: true,
    });
    expect(outcomesOf(outputs)).toEqual(['applied', 'rejected']);
    expect(outputs).toMatchObject({ IsCommitted: true, Mark: { Seq: 9 } });
    expect(rowsIn(path, 'SELECT WorkItemHash FROM UVQueueWorkItem')).toEqual([
      { WorkItemHash: 'a' },
    ]);
  });
});

describe('a batch with a refused mutation', () => {
  test('takes no effect, says what became of each, and is refused the same way when it is sent again', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [event('g', 1, { BeaconID: 'x' })]);
    const batch = [workItem('a', 2), event('g', 3, { BeaconID: 'y' }), workItem('b', 4)];
    for (const attempt of [1, 2]) {
      const outputs = await applyTo(engine, batch);
      expect(outcomesOf(outputs), `attempt ${attempt}`).toEqual(['applied', 'conflict', 'applied']);
      expect(outputs).toMatchObject({ IsCommitted: false, Mark: { Seq: 1 } });
    }
    expect(rowsIn(path, 'SELECT * FROM UVQueueWorkItem')).toEqual([]);
    expect(rowsIn(path, 'SELECT Seq FROM UVBridgeMark')).toEqual([{ Seq: 1 }]);
  });

  test.each([
    ['an unknown table', { Table: 'Nope' }, /Nope/],
    ['an unknown column', { Set: { 'Nope"; DROP TABLE UVManifest; --': 1 } }, /no column/],
    ['a column that is the beacon’s to write', { Set: { BridgeSeq: 1 } }, /BridgeSeq/],
    ['the mark’s own table', { Table: 'UVBridgeMark' }, /UVBridgeMark/],
    ['the identity’s own table', { Table: 'UVBridgeStore' }, /UVBridgeStore/],
    ['a string over its size', { Set: { Status: 'x'.repeat(33) } }, /Status holds at most 32/],
    ['text in an integer column', { Set: { Priority: 'high' } }, /Priority takes/],
    ['an object where none can be', { Set: { Priority: { a: 1 } as never } }, /Priority/],
  ])('rejects %s with a reason', async (_what, change, reason) => {
    const { engine } = await openBackend();
    const outputs = await applyTo(engine, [{ ...workItem('a', 1), ...change }]);
    expect(outputs.IsCommitted).toBe(false);
    expect(outputs.Results[0]).toMatchObject({ Outcome: 'rejected' });
    expect(outputs.Results[0]?.Reason).toMatch(reason);
  });

  test('a constraint of the database is a rejection of that one', async () => {
    const { engine, path } = await openBackend();
    const db = new Database(path);
    db.exec(
      "CREATE TRIGGER no BEFORE INSERT ON UVQueueWorkItem WHEN NEW.WorkItemHash = 'bad' " +
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    );
    db.close();
    const outputs = await applyTo(engine, [workItem('good', 1), workItem('bad', 2)], {
      isBelowMark: true,
    });
    expect(outcomesOf(outputs)).toEqual(['applied', 'rejected']);
    expect(outputs.Results[1]?.Reason).toMatch(/not this one/);
  });
});

describe('a database that is not well', () => {
  test('a locked one refuses the whole request and nothing is changed', async () => {
    const { engine, path } = await openBackend();
    const db = new Database(path);
    db.exec('BEGIN IMMEDIATE');
    await expect(applyTo(engine, [workItem('a', 1)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/SQLITE_BUSY/) as string,
    });
    db.exec('ROLLBACK');
    db.close();
    expect(outcomesOf(await applyTo(engine, [workItem('a', 1)]))).toEqual(['applied']);
  });

  test('a full one refuses the whole request, and takes it once there is room', async () => {
    const { engine, path } = await openBackend();
    const pages = async (count: number) =>
      engine.execute([{ sql: `PRAGMA max_page_count = ${count}`, parameters: [], isWrite: false }]);
    await pages(1);
    const big = Array.from({ length: 50 }, (_, at) =>
      workItem(`big-${at}`, at + 1, { Result: 'x'.repeat(20_000) }),
    );
    await expect(applyTo(engine, big)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/SQLITE_FULL/) as string,
    });
    expect(rowsIn(path, 'SELECT * FROM UVBridgeMark')).toEqual([]);
    await pages(1_000_000);
    expect((await applyTo(engine, big)).IsCommitted).toBe(true);
  });

  test('a deleted file is made anew, empty, without identity; nothing is applied to the old one', async () => {
    const { engine, path } = await openBackend();
    rmSync(path);
    await expect(applyTo(engine, [workItem('a', 1)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(await engine.check()).toEqual({ isConnected: true, storeId: '', reason: '' });
    expect(rowsIn(path, 'SELECT name FROM sqlite_schema')).toEqual([]);
    await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(outcomesOf(await applyTo(engine, [workItem('a', 1)]))).toEqual(['applied']);
  });

  test('a replaced file is the one that counts from then on', async () => {
    const one = await openBackend();
    const other = await openBackend();
    await applyTo(other.engine, [workItem('theirs', 1)]);
    const { storeId } = await other.engine.check();
    await other.engine.close();
    renameSync(other.path, one.path);
    expect((await one.engine.check()).storeId).toBe(storeId);
    expect(rowsIn(one.path, 'SELECT WorkItemHash FROM UVQueueWorkItem')).toEqual([
      { WorkItemHash: 'theirs' },
    ]);
  });

  test('a table dropped under us is the database’s fault, not the write’s', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [workItem('a', 1)]);
    const db = new Database(path);
    db.exec('DROP TABLE UVQueueWorkItem');
    db.close();
    await expect(applyTo(engine, [workItem('a', 2)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/EnsureSchema/) as string,
    });
  });

  test('a folder that cannot be is told by check', async () => {
    const { path: file } = await openBackend();
    const { engine } = openEngine(`${file}/backend.sqlite`);
    expect(await engine.check()).toMatchObject({ isConnected: false, storeId: '' });
    await expect(applyTo(engine, [workItem('a', 1)])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});
