/**
 * DataBeaconAccess on any engine: aggregates and joins give what SQLite gives, and SQL of others
 * reads and nothing else.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aggregate, join } from '../../../../beacon/capabilities/access-groups.ts';
import { queryTable } from '../../../../beacon/capabilities/access.ts';
import { backends, type RunningBackend } from '../backends.ts';
import type { Shared } from '../desk.ts';
import { type Endpoints, openEndpoints } from '../endpoints.ts';

const T = 'UVQueueWorkItem';
const items = Array.from({ length: 14 }, (_, at) => ({
  HubID: ['h1', 'h2', 'H1'][at % 3],
  WorkItemHash: `w${at}`,
  Status: at % 2 ? 'Odd' : 'even',
  Priority: at - 4,
  Health: at === 3 ? null : at / 4,
  QueueWaitMs: 2 ** 41 + at,
  CancelRequested: at % 4 === 0,
  Result: at % 5 === 0 ? null : `r${at % 2}`,
}));
const attempts = items.slice(0, 9).flatMap((item, at) =>
  [1, 2].map((number) => ({
    HubID: item.HubID,
    WorkItemHash: item.WorkItemHash,
    AttemptNumber: number,
    DurationMs: at * 10 + number,
    Outcome: at % 2 ? 'ok' : 'bad',
  })),
);

/** Specs that must give the same rows everywhere. */
const aggregates = [
  { Aggregates: [{ Source: '*', Function: 'Count', As: 'N' }] },
  {
    GroupBy: ['Status'],
    Aggregates: [
      { Source: 'Priority', Function: 'Sum', As: 'Total' },
      { Source: 'Priority', Function: 'Mean', As: 'Mean' },
      { Source: '*', Function: 'Count', As: 'N' },
    ],
  },
  {
    GroupBy: ['HubID', 'Status'],
    Aggregates: [
      { Source: 'QueueWaitMs', Function: 'Max', As: 'Longest' },
      { Source: 'QueueWaitMs', Function: 'Sum', As: 'Wait' },
    ],
    OrderBy: ['-Longest'],
  },
  {
    GroupBy: ['HubID'],
    Aggregates: [
      { Source: 'Health', Function: 'Avg', As: 'Health' },
      { Source: 'Health', Function: 'Count', As: 'Known' },
      { Source: 'WorkItemHash', Function: 'Min', As: 'First' },
    ],
    Filter: 'FBV~Priority~GT~-3',
  },
  { GroupBy: ['Result'], Aggregates: [{ Source: '*', Function: 'Count', As: 'N' }] },
  {
    GroupBy: ['CancelRequested'],
    Aggregates: [
      { Source: '*', Function: 'Count', As: 'N' },
      { Source: 'CreateDate', Function: 'Max', As: 'Newest' },
    ],
  },
  {
    Aggregates: [
      { Source: 'Priority', Function: 'Mean', As: 'Mean' },
      { Source: 'Health', Function: 'Sum', As: 'Sum' },
    ],
    Filter: 'FBV~Status~EQ~nobody',
  },
  {
    Aggregates: [{ Source: 'Priority', Function: 'Mean', As: 'Mean' }],
    Filter: 'FBL~Priority~INN~1,2,4',
  },
].map((spec) => ({ Table: T, ...spec }));
const projection = {
  Hash: '{~D:Record.WorkItemHash~}',
  Took: '{~D:Related.DurationMs~}',
  Outcome: '{~D:Related.Outcome~}',
  Health: '{~D:Record.Health~}',
  Flag: '{~D:Record.CancelRequested~}',
};
const joined = {
  Table: T,
  RelatedTable: 'UVQueueWorkItemAttempt',
  JoinOn: { SourceField: 'WorkItemHash', RelatedField: 'WorkItemHash' },
  OrderBy: 'IDUVQueueWorkItem',
  Projection: projection,
};

export function accessSuite(on: () => Shared): void {
  describe('access', () => {
    const opened: Endpoints[] = [];
    let reference: RunningBackend | undefined;
    beforeAll(async () => {
      reference = await backends.sqlite();
      for (const backend of [reference, on().backend]) {
        const one = await openEndpoints(backend);
        await one.call('POST', `${T}s`, items);
        await one.call('POST', 'UVQueueWorkItemAttempts', attempts);
        await one.call('DELETE', `${T}/14`);
        opened.push(one);
      }
    }, 60_000);
    afterAll(async () => {
      for (const one of opened) await one.close();
      await reference?.[Symbol.asyncDispose]();
    });
    const both = async (ask: (one: Endpoints) => Promise<unknown>) => Promise.all(opened.map(ask));

    test.each(aggregates)('an aggregate is the same as SQLite’s (%#)', async (AggregateSpec) => {
      const [expected, found] = await both(
        async ({ connection }) => (await aggregate(connection, { AggregateSpec })).Rows,
      );
      expect(found).toEqual(expected);
    });

    test('a join is the same as SQLite’s, page by page', async () => {
      for (const paging of [
        { Limit: 5, Offset: 3 },
        { Limit: 4, AfterValue: null },
        { Limit: 4, AfterValue: 2 },
      ]) {
        const [expected, found] = await both(async ({ connection }) =>
          (await join(connection, { JoinSpec: { ...joined, ...paging } })).Rows.map((row) =>
            JSON.stringify(row),
          ).toSorted(),
        );
        expect(found).toEqual(expected);
      }
    });

    queryTests(() => opened[1] ?? opened[0], on);
  });
}

function queryTests(its: () => Endpoints | undefined, on: () => Shared): void {
  const quote = (sql: string) => (on().backend.kind === 'mysql' ? sql.replaceAll('"', '`') : sql);
  const query = async (sql: string, Cap = 100) => {
    const one = its();
    if (!one) throw new Error('nothing is open');
    return queryTable(one.connection, { SQL: quote(sql), Cap }, 10_000);
  };

  test('SQL of others gives rows in the one form, and says when there are more', async () => {
    expect(
      await query(
        'select "WorkItemHash" as h, "CancelRequested" as c, "Health" as f, "QueueWaitMs" ' +
          `as q, "CreateDate" as d from "${T}" where "Priority" = 0`,
      ),
    ).toEqual({
      Rows: [{ h: 'w4', c: 1, f: 1, q: 2 ** 41 + 4, d: '2026-11-21T08:00:00.000Z' }],
      RowCount: 1,
      IsCut: false,
    });
    expect(
      await query(`select "WorkItemHash" from "${T}" order by "IDUVQueueWorkItem"`, 2),
    ).toMatchObject({
      Rows: [{ WorkItemHash: 'w0' }, { WorkItemHash: 'w1' }],
      RowCount: 2,
      IsCut: true,
    });
    expect(
      await query(
        `with x as (select "Status" as s from "${T}") select s, count(*) as n from x group by s order by s desc`,
      ),
    ).toMatchObject({ RowCount: 2 });
  });

  test('SQL of others changes nothing, runs alone, and ends in time', async () => {
    const before = await its()?.place.query(`select * from "${T}" order by 1`);
    const attacks = [
      `delete from "${T}"`,
      `select 1; delete from "${T}"`,
      `with x as (delete from "${T}" returning 1) select * from x`,
      `insert into "${T}" ("WorkItemHash") values ('x')`,
      `update "${T}" set "Status" = 'x'`,
      `drop table "${T}"`,
      `create table y (a integer)`,
      `select * into y from "${T}"`,
      'begin',
      'commit',
      `/* */ delete from "${T}"`,
      `select 1 /*! ; delete from "${T}" */; delete from "${T}"`,
      `select * from "${T}" for update`,
      'select pg_sleep(60)',
      'select sleep(60)',
      `explain analyze delete from "${T}"`,
      `lock tables "${T}" write`,
      'set global max_connections = 1',
      `truncate table "${T}"`,
      `select pg_terminate_backend(pid) from pg_stat_activity`,
      `select pg_read_file('/etc/passwd')`,
      `select load_file('/etc/passwd') as f into outfile 'x'`,
      `copy "${T}" to stdout`,
      `prepare x from 'delete'`,
    ];
    for (const sql of attacks) await query(sql).catch(() => undefined);
    expect(await its()?.place.query(`select * from "${T}" order by 1`)).toEqual(before);
    expect(
      await query(
        `select count(*) as n from "${T}" where "Deleted" = ${on().backend.kind === 'postgresql' ? 'false' : '0'}`,
      ),
    ).toMatchObject({ Rows: [{ n: 13 }] });
  }, 60_000);

  test('SQL that is none is refused in the database’s own words', async () => {
    await expect(query('select nothing_there from nowhere_at_all')).rejects.toMatchObject({
      code: 'INVALID_MESSAGE',
      message: expect.stringMatching(/nowhere_at_all|nothing_there/) as string,
    });
    await expect(query('select 1 from where')).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
  });
}
