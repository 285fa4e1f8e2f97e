/**
 * Taking over a database of the incumbent on any engine: nothing of it is lost or altered, and its
 * rows go to the first hub that writes them.
 */
import { describe, expect, test } from 'vitest';
import { persistenceSchema } from '../../../../contracts/schema.ts';
import { ensureSchema } from '../../../../beacon/capabilities/schema-manager.ts';
import type { RunningBackend } from '../backends.ts';
import { Desk, freshDesk, later, openFor, type Shared } from '../desk.ts';
import { addedColumns, makeIncumbent } from '../incumbent.ts';

const item = 'UVQueueWorkItem';

export function incumbentSuite(on: () => Shared): void {
  const backend = (): RunningBackend => on().backend;
  describe('a database of the incumbent', () => {
    takeOverTests(backend);
    narrowTests(backend);
  });
}

function takenOver(backend: RunningBackend): Promise<Desk> {
  return freshDesk(backend, (place) => makeIncumbent(backend.kind, place));
}

function takeOverTests(backend: () => RunningBackend): void {
  test('gets what it lacks, keeps its rows, and names what stays as it is', async () => {
    const place = await backend().fresh();
    await makeIncumbent(backend().kind, place);
    const { engine } = openFor(place);
    const before = await place.query(`select * from "${item}" order by 1`);
    const first = await ensureSchema(engine, 'ultravisor', persistenceSchema);
    expect(first.TablesCreated).toEqual(['UVBridgeMark']);
    expect(first.ColumnsAdded).toEqual(
      Object.entries(addedColumns).flatMap(([table, names]) =>
        names.map((name) => `${table}.${name}`),
      ),
    );
    expect(first.IndicesCreated).toEqual([
      'IX_UVQueueWorkItem_HubHash',
      'IX_UVQueueAttempt_HubHashNum',
      'IX_UVManifest_HubHash',
      'IX_UVBridgeMark_HubLane',
    ]);
    const narrow = [
      'UVQueueWorkItem.Health',
      'UVQueueWorkItem.HealthReason',
      'UVQueueWorkItem.CancelReason',
      'UVManifest.OperationName',
      'UVManifest.StagingPath',
    ];
    const altered = first.SkippedDestructive.filter((line) => line.startsWith('alter-column:')).map(
      (line) => line.slice('alter-column:'.length),
    );
    // SQLite keeps what is longer than a column says; the others would cut or round it.
    expect(altered.toSorted()).toEqual(
      expect.arrayContaining(backend().kind === 'sqlite' ? [] : narrow),
    );
    expect(first.SkippedDestructive.filter((line) => !line.startsWith('alter-column:'))).toEqual(
      ['UVQueueWorkItem_Hash', 'UVQueueAttempt_HashNum', 'UVManifest_Hash'].map(
        (name) => `drop-index:IX_${name}`,
      ),
    );
    const after = await place.query(`select * from "${item}" order by 1`);
    expect(after).toEqual(
      before.map((row) => ({
        ...row,
        CreatedAt: '',
        RequireAffinityMatch: 0,
        StalledAt: '',
        HubID: '',
        BridgeSeq: 0,
        Extra: after[0]?.['Extra'],
      })),
    );
    expect(await ensureSchema(engine, 'ultravisor', persistenceSchema)).toMatchObject({
      TablesCreated: [],
      ColumnsAdded: [],
      IndicesCreated: [],
      MigrationStatements: [],
      SkippedDestructive: first.SkippedDestructive,
      StoreID: first.StoreID,
    });
  });

  test('gives its rows to the first hub that writes them, and no other hub gets at them', async () => {
    const d = await takenOver(backend());
    const outcomes = await d.outcomes(
      [
        d.workItem('Old-1', 10, { Status: 'Complete', Health: 0.5 }),
        d.attempt('Old-1', 1, 11, { Outcome: 'Complete' }),
        d.removal('run-old', 12),
        d.workItem('new-1', 13, { Action: 'go' }),
      ],
      { now: later },
    );
    expect(outcomes).toEqual(['applied', 'applied', 'applied', 'applied']);
    const columns = ['Status', 'Settings', 'Priority', 'Health', 'BridgeSeq', 'MaxAttempts'];
    expect(await d.rows(item, 'WorkItemHash', ...columns)).toEqual([
      {
        WorkItemHash: 'Old-1',
        Status: 'Complete',
        Settings: '{"a":1}',
        Priority: 4,
        Health: 0.5,
        BridgeSeq: 10,
        MaxAttempts: 0,
      },
      {
        WorkItemHash: 'new-1',
        Status: 'Pending',
        Settings: '{}',
        Priority: 0,
        Health: 0,
        BridgeSeq: 13,
        MaxAttempts: 1,
      },
    ]);
    expect(await d.rows('UVManifest', 'Hash', 'Deleted', 'BridgeSeq')).toEqual([
      { Hash: 'run-old', Deleted: 1, BridgeSeq: 12 },
    ]);
    expect(await d.rows('UVQueueWorkItemAttempt', 'BeaconID', 'Outcome')).toEqual([
      { BeaconID: 'bcn', Outcome: 'Complete' },
    ]);
    const e = new Desk(d.engine, d.place, 'hub2');
    const theirs = await e.apply(
      [
        e.workItem('Old-1', 1, { Status: 'Theirs' }),
        e.workItem('Old-2', 2, { Status: 'Theirs' }),
        e.removal('run-old', 3),
      ],
      { isBelowMark: true },
    );
    // The incumbent's own index, unique on the hash alone, is still there.
    expect(theirs.Results.map((result) => result.Outcome)).toEqual([
      'rejected',
      'applied',
      'not-found',
    ]);
    expect(await d.rows(item, 'WorkItemHash', 'Status')).toEqual([
      { WorkItemHash: 'Old-1', Status: 'Complete' },
      { WorkItemHash: 'new-1', Status: 'Pending' },
    ]);
    expect(await e.rows(item, 'WorkItemHash', 'Status')).toEqual([
      { WorkItemHash: 'Old-2', Status: 'Theirs' },
    ]);
  });

  test('a new row has the descriptor’s defaults, whatever the table declares, and dates of its own', async () => {
    const d = await takenOver(backend());
    await d.apply([
      d.workItem('new-1', 1, { MaxAttempts: null }),
      d.event('e', 2),
      d.manifest('m', 3),
    ]);
    const [row] = await d.rows(
      item,
      'Status',
      'MaxAttempts',
      'HealthLabel',
      'Settings',
      'Extra',
      'CreateDate',
      'UpdateDate',
    );
    expect(row).toMatchObject({
      Status: 'Pending',
      MaxAttempts: 1,
      HealthLabel: 'Unknown',
      Settings: '{}',
      Extra: '{}',
    });
    expect(
      [row?.['CreateDate'], row?.['UpdateDate']].map((date) => new Date(String(date)).getTime()),
    ).toEqual([1, 1].map(() => Date.parse('2026-11-21T08:00:00Z')));
    expect(
      await d.outcomes([d.workItem('new-1', 1, { Status: 'x' }), d.event('e', 9)], {
        epoch: 'epoch-2',
      }),
    ).toEqual(['already-present', 'already-present']);
  });
}

function narrowTests(backend: () => RunningBackend): void {
  test('what its narrower columns cannot hold is rejected with the reason, and the rest is not lost', async () => {
    const d = await takenOver(backend());
    const outputs = await d.apply(
      [
        d.workItem('a', 1),
        d.workItem('b', 2, { Priority: 3_000_000_000 }),
        d.workItem('c', 3, { HealthReason: 'x'.repeat(600) }),
        d.workItem('d', 4, { Health: 1e12 }),
        d.workItem('e', 5),
      ],
      { isBelowMark: true },
    );
    const refused = backend().kind === 'sqlite' ? 'applied' : 'rejected';
    expect(outputs.Results.map((result) => result.Outcome)).toEqual([
      'applied',
      refused,
      refused,
      refused,
      'applied',
    ]);
    if (refused === 'rejected') {
      expect(outputs.Results[1]?.Reason).toMatch(/range/i);
      expect(outputs.Results[2]?.Reason).toMatch(/HealthReason holds at most 512/);
      expect(outputs.Results[3]?.Reason).toMatch(/range|overflow/i);
    }
    expect((await d.rows(item, 'WorkItemHash')).map((row) => row['WorkItemHash'])).toEqual(
      expect.arrayContaining(['a', 'e']),
    );
  });

  test('a key its collation takes for another’s never changes that other row', async () => {
    const d = await takenOver(backend());
    await d.apply([
      d.workItem('Key', 1, { Status: 'Mine' }),
      d.manifest('Run', 2, { Status: 'Mine' }),
      d.event('Guid', 3, { BeaconID: 'mine' }),
    ]);
    const outputs = await d.apply(
      [
        d.workItem('KEY', 4, { Status: 'Other' }),
        d.removal('RUN', 5),
        d.manifest('run ', 6, { Status: 'Other' }),
        d.event('GUID', 7, { BeaconID: 'other' }),
      ],
      { isBelowMark: true },
    );
    const isFolding = backend().kind === 'mysql' || backend().kind === 'mssql';
    expect(outputs.Results.map((result) => result.Outcome)).toEqual(
      isFolding
        ? ['rejected', 'not-found', 'rejected', 'rejected']
        : ['applied', 'not-found', 'applied', 'applied'],
    );
    expect((await d.rows(item, 'WorkItemHash', 'Status'))[0]).toEqual({
      WorkItemHash: 'Key',
      Status: 'Mine',
    });
    expect((await d.rows('UVManifest', 'Hash', 'Status', 'Deleted'))[0]).toEqual({
      Hash: 'Run',
      Status: 'Mine',
      Deleted: 0,
    });
    expect((await d.rows('UVQueueWorkItemEvent', 'BeaconID'))[0]).toEqual({ BeaconID: 'mine' });
  });
}
