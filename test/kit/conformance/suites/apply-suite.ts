/** Apply on any engine: each rule of a row mutation, the mark, and batches that are refused. */
import { describe, expect, test } from 'vitest';
import { type Desk, later, now, type Shared } from '../desk.ts';
import { deleteTests, insertTests } from './apply-inserts.ts';
import { batchTests, markTests } from './apply-batches.ts';
import { ownerTests } from './apply-owners.ts';

const item = 'UVQueueWorkItem';

export function applySuite(on: () => Shared): void {
  const desk = (): Desk => on().desk();
  describe('write', () => {
    writeTests(desk);
    fillTests(desk);
  });
  describe('insert', () => {
    insertTests(desk);
  });
  describe('delete', () => {
    deleteTests(desk);
  });
  describe('the mark', () => {
    markTests(desk);
  });
  describe('a batch', () => {
    batchTests(desk);
  });
  describe('several owners', () => {
    ownerTests(desk, () => on().backend);
  });
}

function writeTests(desk: () => Desk): void {
  test('inserts with the descriptor’s defaults and stamps the row', async () => {
    const d = desk();
    expect(
      await d.outcomes([
        d.workItem('a', 7, {
          Action: 'run',
          Priority: null,
          CancelRequested: true,
          RetryAfter: 1500,
        }),
      ]),
    ).toEqual(['applied']);
    const columns = [
      'HubID',
      'WorkItemHash',
      'Action',
      'Status',
      'Settings',
      'Priority',
      'MaxAttempts',
      'CancelRequested',
      'RequireAffinityMatch',
      'RetryAfter',
      'Health',
      'BridgeSeq',
      'Deleted',
      'CreateDate',
      'UpdateDate',
    ];
    expect(await d.rows(item, ...columns)).toEqual([
      {
        HubID: d.hub,
        WorkItemHash: 'a',
        Action: 'run',
        Status: 'Pending',
        Settings: '{}',
        Priority: 0,
        MaxAttempts: 1,
        CancelRequested: 1,
        RequireAffinityMatch: 0,
        RetryAfter: '1500',
        Health: 0,
        BridgeSeq: 7,
        Deleted: 0,
        CreateDate: now,
        UpdateDate: now,
      },
    ]);
  });

  test('defect 12: overwrites what it gives and leaves the rest', async () => {
    const d = desk();
    await d.apply([d.manifest('m', 1, { Status: 'Waiting', RunMode: 'x', Live: true })]);
    expect(
      await d.outcomes([d.manifest('m', 2, { Status: 'Complete', Live: false })], { now: later }),
    ).toEqual(['applied']);
    expect(
      await d.rows(
        'UVManifest',
        'Status',
        'RunMode',
        'Live',
        'CreateDate',
        'UpdateDate',
        'BridgeSeq',
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

  test('the same values again count as applied and take the new Seq', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 1, { Status: 'Same' })]);
    expect(await d.outcomes([d.workItem('a', 2, { Status: 'Same' })])).toEqual(['applied']);
    expect(await d.rows(item, 'Status', 'BridgeSeq')).toEqual([{ Status: 'Same', BridgeSeq: 2 }]);
  });

  test('leaves a row of the same or a newer Seq alone (I4)', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 5, { Status: 'New' })]);
    expect(
      await d.outcomes(
        [d.workItem('a', 4, { Status: 'Old' }), d.workItem('a', 5, { Status: 'Other' })],
        { epoch: 'epoch-2' },
      ),
    ).toEqual(['already-present', 'already-present']);
    expect(await d.rows(item, 'Status', 'BridgeSeq')).toEqual([{ Status: 'New', BridgeSeq: 5 }]);
  });

  test('defect 13: brings a soft-deleted row back', async () => {
    const d = desk();
    expect(
      await d.outcomes([
        d.manifest('m', 1),
        d.removal('m', 2),
        d.manifest('m', 3, { Status: 'Again' }),
      ]),
    ).toEqual(['applied', 'applied', 'applied']);
    expect(await d.rows('UVManifest', 'Status', 'Deleted', 'BridgeSeq')).toEqual([
      { Status: 'Again', Deleted: 0, BridgeSeq: 3 },
    ]);
  });
}

function fillTests(desk: () => Desk): void {
  test('fills only what is empty', async () => {
    const d = desk();
    await d.apply([
      d.workItem('a', 1, { StartedAt: 'then', Priority: 3, Health: 0, Result: null }),
    ]);
    await d.apply([
      d.workItem(
        'a',
        2,
        {},
        {
          Fill: {
            StartedAt: 'now',
            EnqueuedAt: 'now',
            Priority: 9,
            TimeoutMs: 9,
            LastError: 'x',
            Health: 0.5,
            Result: '{"a":1}',
            CancelRequested: true,
          },
        },
      ),
    ]);
    expect(
      await d.rows(
        item,
        'StartedAt',
        'EnqueuedAt',
        'Priority',
        'TimeoutMs',
        'LastError',
        'Health',
        'Result',
        'CancelRequested',
      ),
    ).toEqual([
      {
        StartedAt: 'then',
        EnqueuedAt: 'now',
        Priority: 3,
        TimeoutMs: 9,
        LastError: 'x',
        Health: 0.5,
        Result: '{"a":1}',
        CancelRequested: 1,
      },
    ]);
    await d.apply([d.workItem('b', 3, {}, { Fill: { StartedAt: 'now' } })]);
    expect(await d.rows(item, 'StartedAt')).toEqual([{ StartedAt: 'then' }, { StartedAt: 'now' }]);
  });

  test('a blank is not empty: it is not filled', async () => {
    const d = desk();
    await d.apply([
      d.workItem('a', 1, { StartedAt: ' ' }),
      d.workItem('a', 2, {}, { Fill: { StartedAt: 'now' } }),
    ]);
    expect(await d.rows(item, 'StartedAt')).toEqual([{ StartedAt: ' ' }]);
  });

  test('merges members into JSON text, also over text that cannot be read', async () => {
    const d = desk();
    await d.apply([
      d.workItem('a', 1, {}, { Merge: { Extra: { one: 1, two: { x: 1 } } } }),
      d.workItem('b', 2, { Extra: 'not json' }),
    ]);
    await d.apply([
      d.workItem('a', 3, {}, { Merge: { Extra: { two: { y: 2 }, three: null } } }),
      d.workItem('b', 4, {}, { Merge: { Extra: { n: 1 } } }),
    ]);
    expect(
      (await d.rows(item, 'Extra')).map((row) => JSON.parse(String(row['Extra'])) as unknown),
    ).toEqual([{ one: 1, two: { y: 2 }, three: null }, { n: 1 }]);
  });

  test('of several mutations of one row in one batch each sees the one before (I4)', async () => {
    const d = desk();
    const merge = (member: string, seq: number) =>
      d.workItem('a', seq, {}, { Merge: { Extra: { [member]: seq } } });
    const outcomes = await d.outcomes([
      d.workItem('a', 1, { Status: 'One', Priority: 1 }),
      merge('m', 2),
      d.workItem('a', 3, { Status: 'Three' }),
      d.workItem('a', 4, {}, { Fill: { Priority: 4, TimeoutMs: 4 } }),
      merge('n', 5),
      d.workItem('a', 6, { Status: 'Six' }, { Merge: { Extra: { m: 6 } } }),
      d.workItem('a', 5, { Status: 'Late' }),
    ]);
    expect(outcomes).toEqual([
      'applied',
      'applied',
      'applied',
      'applied',
      'applied',
      'applied',
      'already-present',
    ]);
    const [row] = await d.rows(item, 'Status', 'Priority', 'TimeoutMs', 'Extra', 'BridgeSeq');
    expect({ ...row, Extra: JSON.parse(String(row?.['Extra'])) as unknown }).toEqual({
      Status: 'Six',
      Priority: 1,
      TimeoutMs: 4,
      Extra: { m: 6, n: 5 },
      BridgeSeq: 6,
    });
  });
}
