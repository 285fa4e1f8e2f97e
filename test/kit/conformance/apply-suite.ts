/** Apply on any engine: each rule of a row mutation, the mark, and batches that are refused. */
import { describe, expect, test } from 'vitest';
import { type Desk, later, now, type Shared } from './desk.ts';

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

function insertTests(desk: () => Desk): void {
  test('inserts once; the same Seq, or the same content under another, is already present', async () => {
    const d = desk();
    const one = d.event('g', 1, { WorkItemHash: 'a', Payload: '{"x":1}' });
    expect(await d.outcomes([one])).toEqual(['applied']);
    expect(await d.outcomes([one, { ...one, Seq: 9 }], { epoch: 'epoch-2' })).toEqual([
      'already-present',
      'already-present',
    ]);
    expect(await d.rows('UVQueueWorkItemEvent', 'EventGUID', 'BridgeSeq')).toEqual([
      { EventGUID: d.guid('g'), BridgeSeq: 1 },
    ]);
  });

  test('one twice in a batch is there once', async () => {
    const d = desk();
    expect(
      await d.outcomes([d.event('g', 1, { Seq: 1 }), d.event('h', 2), d.event('g', 3, { Seq: 1 })]),
    ).toEqual(['applied', 'applied', 'already-present']);
    expect(await d.rows('UVQueueWorkItemEvent', 'BridgeSeq')).toEqual([
      { BridgeSeq: 1 },
      { BridgeSeq: 2 },
    ]);
  });

  test('defect 10, defect 11: other content under the same key is a conflict that names the columns', async () => {
    const d = desk();
    await d.apply([d.event('g', 1, { WorkItemHash: 'a', BeaconID: 'b1' })]);
    const outputs = await d.apply([
      d.event('g', 2, { WorkItemHash: 'a', BeaconID: 'b2', Seq: null }),
    ]);
    expect(outputs.Results[0]).toMatchObject({ Outcome: 'conflict' });
    expect(outputs.Results[0]?.Reason).toMatch(/BeaconID/);
    expect(outputs.Results[0]?.Reason).not.toMatch(/WorkItemHash|Seq/);
  });

  test('compares values as the database stores them, and not what the worker filled in', async () => {
    const d = desk();
    await d.apply([
      d.event(
        'g',
        1,
        { WorkItemHash: 'a', Seq: null, FromStatus: null, RunID: 12, Payload: null },
        { Fill: { EmittedAt: 'one' } },
      ),
    ]);
    expect(
      await d.outcomes([
        d.event(
          'g',
          2,
          { WorkItemHash: 'a', Seq: 0, FromStatus: '', RunID: '12', Payload: null },
          { Fill: { EmittedAt: 'two' } },
        ),
      ]),
    ).toEqual(['already-present']);
    const attempt = { BeaconID: 'b', DurationMs: 12 };
    await d.apply([d.attempt('a', 1, 3, attempt, { Op: 'insert' })]);
    expect(
      await d.outcomes([
        d.attempt('a', 1, 4, attempt, { Op: 'insert' }),
        d.attempt('a', 1, 5, { BeaconID: 'B' }, { Op: 'insert' }),
      ]),
    ).toEqual(['already-present', 'conflict']);
  });

  test('floats, big integers, booleans and dates compare equal to themselves', async () => {
    const d = desk();
    const set = {
      Health: 0.1 + 0.2,
      Priority: Number.MAX_SAFE_INTEGER,
      CancelRequested: true,
      Result: '{"b":1, "a":2}',
    };
    await d.apply([d.workItem('a', 1, set, { Op: 'insert' })]);
    expect(await d.outcomes([d.workItem('a', 2, set, { Op: 'insert' })])).toEqual([
      'already-present',
    ]);
    expect(
      await d.outcomes([d.workItem('a', 3, { ...set, CancelRequested: false }, { Op: 'insert' })]),
    ).toEqual(['conflict']);
  });
}

function deleteTests(desk: () => Desk): void {
  test('is soft, happens once, and a row that is not there is as good as deleted', async () => {
    const d = desk();
    await d.apply([d.manifest('m', 1, { Status: 'Complete' })]);
    expect(await d.outcomes([d.removal('m', 2), d.removal('none', 3)], { now: later })).toEqual([
      'applied',
      'not-found',
    ]);
    expect(await d.rows('UVManifest', 'Deleted', 'BridgeSeq', 'UpdateDate', 'Status')).toEqual([
      { Deleted: 1, BridgeSeq: 2, UpdateDate: later, Status: 'Complete' },
    ]);
    expect(await d.outcomes([d.removal('m', 2)], { epoch: 'epoch-2' })).toEqual([
      'already-present',
    ]);
  });

  test('of an older Seq than the row’s changes nothing', async () => {
    const d = desk();
    await d.apply([d.manifest('m', 5)]);
    expect(await d.outcomes([d.removal('m', 4)], { isBelowMark: true })).toEqual([
      'already-present',
    ]);
    expect(await d.rows('UVManifest', 'Deleted', 'BridgeSeq')).toEqual([
      { Deleted: 0, BridgeSeq: 5 },
    ]);
  });
}

function markTests(desk: () => Desk): void {
  const mark = (d: Desk) => d.rows('UVBridgeMark', 'Lane', 'Epoch', 'Seq', 'UpdatedAt');

  test('is written with the rows, and what lies at or below it is skipped (I5)', async () => {
    const d = desk();
    const first = await d.apply([d.workItem('a', 1, { Status: 'One' })], { throughSeq: 4 });
    expect(first).toMatchObject({
      IsCommitted: true,
      Mark: { Epoch: 'epoch-1', Seq: 4, UpdatedAt: now },
    });
    expect(
      await d.outcomes([d.workItem('never', 3, {}), d.workItem('b', 5, {})], { throughSeq: 5 }),
    ).toEqual(['already-present', 'applied']);
    expect(await mark(d)).toEqual([{ Lane: 'queue', Epoch: 'epoch-1', Seq: 5, UpdatedAt: now }]);
    expect((await d.rows(item, 'WorkItemHash')).map((row) => row['WorkItemHash'])).toEqual([
      'a',
      'b',
    ]);
  });

  test('never moves back within an epoch; the mark of another epoch does not count (I5)', async () => {
    const d = desk();
    await d.apply([], { throughSeq: 9 });
    expect((await d.apply([], { throughSeq: 3 })).Mark).toMatchObject({ Seq: 9 });
    const other = await d.apply([d.workItem('a', 2)], { throughSeq: 2, epoch: 'epoch-2' });
    expect(other.Results).toEqual([{ Outcome: 'applied' }]);
    expect(other.Mark).toMatchObject({ Epoch: 'epoch-2', Seq: 2 });
  });

  test('each hub and lane has its own, up to the largest Seq there is', async () => {
    const [d, e] = [desk(), desk()];
    await d.apply([], { throughSeq: Number.MAX_SAFE_INTEGER });
    await d.apply([], { throughSeq: 4, lane: 'manifest' });
    expect(await e.apply([e.workItem('a', 1)])).toMatchObject({
      IsCommitted: true,
      Mark: { Seq: 1 },
    });
    expect(await mark(d)).toEqual([
      { Lane: 'queue', Epoch: 'epoch-1', Seq: Number.MAX_SAFE_INTEGER, UpdatedAt: now },
      { Lane: 'manifest', Epoch: 'epoch-1', Seq: 4, UpdatedAt: now },
    ]);
  });

  test('a batch that builds on another mark is not let in, and nothing is changed (I5)', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 5)], { afterEpoch: '' });
    await expect(
      d.apply([d.workItem('b', 9)], { afterSeq: 8, afterEpoch: 'epoch-1' }),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/went back in time/) as string,
    });
    await expect(
      d.apply([d.workItem('b', 9)], { epoch: 'epoch-2', afterSeq: 5, afterEpoch: 'epoch-0' }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await d.outcomes([d.workItem('b', 6)], { afterSeq: 5, afterEpoch: 'epoch-1' })).toEqual([
      'applied',
    ]);
    expect(await mark(d)).toMatchObject([{ Seq: 6 }]);
  });

  test('below the mark nothing is skipped, each stands alone, the mark stays; a new epoch begins with it', async () => {
    const d = desk();
    await d.apply([d.event('g', 1, { BeaconID: 'x' })], { throughSeq: 9 });
    const below = await d.apply(
      [d.workItem('a', 2), d.event('g', 3, { BeaconID: 'y' }), d.workItem('b', 4)],
      { isBelowMark: true },
    );
    expect(below.Results.map((result) => result.Outcome)).toEqual([
      'applied',
      'conflict',
      'applied',
    ]);
    expect(below).toMatchObject({ IsCommitted: true, Mark: { Epoch: 'epoch-1', Seq: 9 } });
    expect(await d.rows(item, 'WorkItemHash')).toEqual([
      { WorkItemHash: 'a' },
      { WorkItemHash: 'b' },
    ]);
    await d.apply([d.workItem('c', 5)], {
      isBelowMark: true,
      epoch: 'epoch-2',
      afterSeq: 9,
      afterEpoch: 'epoch-1',
      now: later,
    });
    expect(await mark(d)).toEqual([{ Lane: 'queue', Epoch: 'epoch-2', Seq: 9, UpdatedAt: later }]);
  });
}

function batchTests(desk: () => Desk): void {
  test('with a refused mutation takes no effect, says what became of each, is refused the same again', async () => {
    const d = desk();
    await d.apply([d.event('g', 1, { BeaconID: 'x' })]);
    const batch = [
      d.workItem('a', 2),
      d.event('g', 3, { BeaconID: 'y' }),
      d.workItem('b', 4),
      d.workItem('c', 5, { Priority: 'high' }),
      d.event('h', 6),
    ];
    for (const attempt of [1, 2]) {
      const outputs = await d.apply(batch);
      expect([attempt, ...outputs.Results.map((result) => result.Outcome)]).toEqual([
        attempt,
        'applied',
        'conflict',
        'applied',
        'rejected',
        'applied',
      ]);
      expect(outputs).toMatchObject({ IsCommitted: false, Mark: { Seq: 1 } });
    }
    expect(await d.rows(item)).toEqual([]);
    expect(await d.rows('UVBridgeMark', 'Seq')).toEqual([{ Seq: 1 }]);
    expect(
      await d.outcomes(
        [batch[0], batch[2], batch[4]].filter((one) => one !== undefined),
        { throughSeq: 6 },
      ),
    ).toEqual(['applied', 'applied', 'applied']);
  });

  test('without mutations moves the mark', async () => {
    const d = desk();
    expect(await d.apply([], { throughSeq: 3 })).toEqual({
      Results: [],
      IsCommitted: true,
      Mark: { Epoch: 'epoch-1', Seq: 3, UpdatedAt: now },
    });
  });

  test('of mixed shapes and 2 000 rows goes in whole and in order, and again changes nothing (I8)', async () => {
    const d = desk();
    const mutations = Array.from({ length: 2_000 }, (_, at) => {
      const seq = at + 1;
      const hash = `w${at % 700}`;
      switch (at % 5) {
        case 0:
          return d.event(`e${at}`, seq, { WorkItemHash: hash, Payload: JSON.stringify({ at }) });
        case 1:
          return d.attempt(
            hash,
            at % 3,
            seq,
            { Outcome: `o${at}` },
            { Fill: { StartedAt: `s${at}` } },
          );
        case 2:
          return d.workItem(hash, seq, {}, { Merge: { Extra: { [`m${at % 4}`]: at } } });
        case 3:
          return d.manifest(hash, seq, { Status: `s${at % 9}` });
        default:
          return d.workItem(
            hash,
            seq,
            at % 2 ? { Status: `s${at}` } : { Priority: at, Health: at / 7 },
          );
      }
    });
    const first = await d.apply(mutations);
    expect(first.IsCommitted).toBe(true);
    expect(new Set(first.Results.map((result) => result.Outcome))).toEqual(new Set(['applied']));
    const tables = [
      item,
      'UVQueueWorkItemEvent',
      'UVQueueWorkItemAttempt',
      'UVManifest',
      'UVBridgeMark',
    ];
    const before = await Promise.all(tables.map((table) => d.rows(table)));
    expect(before.map((rows) => rows.length)).toEqual([280, 400, 400, 140, 1]);
    await d.apply(mutations);
    await d.apply(mutations, { isBelowMark: true });
    expect(await Promise.all(tables.map((table) => d.rows(table)))).toEqual(before);
  }, 60_000);

  test('two hubs on one database never see each other’s rows', async () => {
    const [d, e] = [desk(), desk()];
    await d.apply([
      d.workItem('same', 5, { Status: 'Mine' }),
      d.manifest('same', 6),
      d.attempt('same', 1, 7, { Outcome: 'mine' }),
    ]);
    expect(
      await e.outcomes([
        e.workItem('same', 1, { Status: 'Theirs' }),
        e.removal('same', 2),
        e.attempt('same', 1, 3, { Outcome: 'theirs' }),
      ]),
    ).toEqual(['applied', 'not-found', 'applied']);
    expect(await d.rows(item, 'Status', 'BridgeSeq')).toEqual([{ Status: 'Mine', BridgeSeq: 5 }]);
    expect(await d.rows('UVManifest', 'Deleted')).toEqual([{ Deleted: 0 }]);
    expect(await e.rows('UVQueueWorkItemAttempt', 'Outcome')).toEqual([{ Outcome: 'theirs' }]);
  });
}
