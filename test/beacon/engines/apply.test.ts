/**
 * Apply on a real file: each rule of a row mutation, the mark, and what a failing database means.
 */
import { describe, expect, test } from 'vitest';
import {
  applyTo,
  event,
  hub,
  manifest,
  now,
  openBackend,
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
