/**
 * The second wall of QueryTable on real servers: attacks as if the guard let everything through,
 * stored functions that write among them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, StatementResult } from '../../../beacon/engine/engine.ts';
import { parseDatabaseUrl } from '../../../beacon/databases/config.ts';
import { openEngine } from '../../../beacon/databases/open-engine.ts';
import { backends, type Place, type RunningBackend } from '../../kit/conformance/backends.ts';

const attacks: Record<'postgresql' | 'mysql', [name: string, sql: string][]> = {
  postgresql: [
    ['a function that writes', 'select wipe()'],
    ['a function that writes in a condition', 'select 1 where wipe() > 0'],
    ['a writing CTE', 'with gone as (delete from t returning *) select * from gone'],
    ['a delete', 'delete from t returning *'],
    ['two statements', 'select 1; delete from t'],
    ['out of the brackets', 'select 1) as a; delete from t; select * from (select 1'],
    ['a commit first', 'commit; delete from t'],
    ['writing switched on', "select set_config('transaction_read_only', 'off', false), wipe()"],
    ['into a table', 'select * into other from t'],
    ['a table', 'create table other (a int)'],
    ['locks', 'select * from t for update'],
    ['a sequence', "select nextval('s')"],
    ['a copy to a program', "copy t to program 'cat'"],
    ['a block', 'do $$ begin delete from t; end $$'],
  ],
  mysql: [
    ['a function that writes', 'select wipe()'],
    ['a function that writes in a condition', 'select 1 from dual where wipe() > 0'],
    ['a delete', 'delete from t'],
    ['a delete that gives rows', 'delete from t returning a'],
    ['two statements', 'select 1; delete from t'],
    ['a commit first', 'commit; delete from t'],
    ['writing switched on', 'set transaction read write'],
    ['a table', 'create table other (a int)'],
    ['a table from a select', 'create table other as select * from t'],
    ['a truncation', 'truncate table t'],
    ['a drop', 'drop table t'],
    ['a procedure', 'call sweep()'],
    ['a comment that runs', 'select 1 /*!50000 ; delete from t */'],
    ['an index', 'create index i on t (a)'],
    ['a renaming', 'rename table t to u'],
    ['a table made anew', 'create or replace table t (b int)'],
  ],
};

const prepare = {
  postgresql: [
    'create table t (a int)',
    'insert into t values (1), (2)',
    'create sequence s',
    "create function wipe() returns int language sql volatile as 'delete from t; select 1'",
  ],
  mysql: [
    'create table t (a int)',
    'insert into t values (1), (2)',
    'create function wipe() returns int modifies sql data begin delete from t; return 1; end',
    'create procedure sweep() delete from t',
  ],
} as const;

const endless = {
  postgresql: [
    'select pg_sleep(60)',
    'select count(*) from generate_series(1, 1000000000) as a, generate_series(1, 1000000000) as b',
  ],
  mysql: [
    'select sleep(60)',
    'select benchmark(100000000000, md5(1))',
    'with recursive n as (select 1 as x union all select x from n where x < 2) select count(*) from n',
  ],
} as const;

describe.each(['postgresql', 'mysql'] as const)('%s', (kind) => {
  let backend: RunningBackend;
  let place: Place;
  let engine: Engine;
  beforeAll(async () => {
    backend = await backends[kind]();
    place = await backend.fresh();
    for (const sql of prepare[kind]) await place.query(sql);
    engine = openEngine(parseDatabaseUrl(place.url), () => undefined);
  });
  afterAll(async () => {
    await engine.close();
    await backend[Symbol.asyncDispose]();
  });
  const ask = async (sql: string, timeoutMs = 5_000) =>
    (
      await engine.execute([
        { sql, parameters: [], isWrite: false, query: { rowsMax: 10, timeoutMs } },
      ])
    )[0];
  const rows = async () => (await place.query('select a from t order by a')).map((row) => row['a']);
  const tables = async () => (await engine.introspect()).map((table) => table.name);

  test.each(attacks[kind])('%s changes nothing without the guard', async (_, sql) => {
    await ask(sql).catch((error: unknown) => error);
    expect(await rows()).toEqual([1, 2]);
    expect(await tables()).toEqual(['t']);
    // The connection is as good as before for those who may write.
    const [written] = await engine.execute([
      { sql: 'insert into t values (3)', parameters: [], isWrite: true },
    ]);
    expect(written).toMatchObject({ changes: 1 });
    await engine.execute([{ sql: 'delete from t where a = 3', parameters: [], isWrite: true }]);
  });

  test.each(endless[kind])(
    'is ended in time (I9): %s',
    async (sql) => {
      const outcome = await ask(sql, 500).catch((error: unknown) => error);
      // MySQL answers a SLEEP that was ended with a row that says so, and ends a recursion it
      // counts by itself.
      if (kind === 'postgresql') expect(outcome).not.toHaveProperty('rows');
      expect(((await ask('select a from t order by a')) as StatementResult).rows).toEqual([
        { a: 1 },
        { a: 2 },
      ]);
    },
    20_000,
  );

  test('reads no more rows than asked for (I9)', async () => {
    await place.query(
      `insert into t ${Array.from({ length: 30 }, (_, at) => `select ${at + 10}`).join(' union all ')}`,
    );
    expect(((await ask('select a from t order by a')) as StatementResult).rows).toHaveLength(10);
    await place.query('delete from t where a >= 10');
  });
});
