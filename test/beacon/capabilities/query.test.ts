/**
 * QueryTable against attacks: what the guard refuses before a database sees it, what SQLite itself
 * refuses, and what is ended.
 */
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { queryTable } from '../../../beacon/capabilities/access.ts';
import type { DatabaseConnection } from '../../../beacon/databases/connections.ts';
import type { StatementResult } from '../../../beacon/engine/engine.ts';
import { bounds } from '../../../beacon/bounds.ts';
import { openBackend, openEngine, rowsIn } from '../../kit/beacon/fixture.ts';

const query = { rowsMax: 100, timeoutMs: 5_000 };

describe('SQLite itself', () => {
  /** Past the guard, as if it had a hole. */
  async function ask(
    sql: string,
    more: Partial<typeof query> = {},
  ): Promise<StatementResult | Error> {
    const { engine, path } = await openBackend();
    const before = readFileSync(path);
    try {
      const [result] = await engine.execute([
        { sql, parameters: [], isWrite: false, query: { ...query, ...more } },
      ]);
      return result ?? new Error('nothing');
    } finally {
      expect(rowsIn(path, 'SELECT count(*) AS n FROM UVQueueWorkItem')).toEqual([{ n: 0 }]);
      expect(readFileSync(path).equals(before)).toBe(true);
    }
  }

  const target = join(tmpdir(), `tidemark-never-made-${process.pid}.db`);
  test.each([
    ['a write', 'DELETE FROM UVQueueWorkItem RETURNING *'],
    ['an insert', "INSERT INTO UVQueueWorkItem (WorkItemHash) VALUES ('x')"],
    [
      'a writing CTE',
      "WITH a AS (SELECT 1) INSERT INTO UVQueueWorkItem (WorkItemHash) SELECT 'x' FROM a RETURNING *",
    ],
    ['two statements', 'SELECT 1; DELETE FROM UVQueueWorkItem'],
    ['attach', `ATTACH '${target}' AS other`],
    ['vacuum into', `VACUUM INTO '${target}'`],
    ['a writing pragma', 'PRAGMA user_version = 7'],
    ['a pragma that would open it', 'PRAGMA query_only = OFF'],
    ['an extension', "SELECT load_extension('x.so')"],
    ['a file', "SELECT readfile('/etc/passwd')"],
    ['a temporary table', 'CREATE TEMP TABLE x (a)'],
    ['a tokenizer', "SELECT fts3_tokenizer('simple', x'00')"],
    ['no rows', 'BEGIN IMMEDIATE'],
  ])('refuses %s even without the guard', async (_, sql) => {
    const result = await ask(sql);
    expect(result).toMatchObject({ name: 'StatementFault' });
    expect(existsSync(target)).toBe(false);
  });

  test('gives rows, as many as asked for', async () => {
    const { engine } = openEngine();
    await engine.migrate(() => [
      'CREATE TABLE T (A INTEGER, B TEXT)',
      "INSERT INTO T VALUES (1, 'x'), (2, NULL)",
    ]);
    expect(
      await engine.execute([
        { sql: 'SELECT * FROM T ORDER BY A', parameters: [], isWrite: false, query },
      ]),
    ).toEqual([
      {
        rows: [
          { A: 1, B: 'x' },
          { A: 2, B: null },
        ],
        changes: 0,
      },
    ]);
    expect(
      await engine.execute([
        {
          sql: 'SELECT * FROM T ORDER BY A',
          parameters: [],
          isWrite: false,
          query: { ...query, rowsMax: 1 },
        },
      ]),
    ).toMatchObject([{ rows: [{ A: 1 }] }]);
  });

  test('is ended when it takes too long, and answers others meanwhile (I9)', async () => {
    const { engine } = await openBackend();
    const endless =
      'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';
    let isEnded = false;
    const running = engine
      .execute([
        { sql: endless, parameters: [], isWrite: false, query: { ...query, timeoutMs: 700 } },
      ])
      .then(
        () => 'rows',
        (error: unknown) => error,
      )
      .finally(() => {
        isEnded = true;
      });
    await engine.introspect(['UVQueueWorkItem']);
    expect(isEnded).toBe(false);
    expect(await running).toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('ended after 700 ms') as string,
    });
  });

  test('is ended when it takes too much memory, or gives too much (I9)', async () => {
    const { engine } = await openBackend();
    const huge = Array.from({ length: 8 }, () => 'hex(randomblob(200000000))').join(' || ');
    await expect(
      engine.execute([
        {
          sql: `SELECT length(${huge})`,
          parameters: [],
          isWrite: false,
          query: { ...query, timeoutMs: 60_000 },
        },
      ]),
    ).rejects.toMatchObject({ code: 'TOO_LARGE' });
    const wide =
      'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT hex(zeroblob(5000000)) FROM n';
    await expect(
      engine.execute([
        { sql: wide, parameters: [], isWrite: false, query: { ...query, timeoutMs: 60_000 } },
      ]),
    ).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('ask for fewer') as string,
    });
  });

  test('what may take long is run aside too, where it could not write', async () => {
    const { engine } = await openBackend();
    const long = (sql: string, parameters: unknown[]) =>
      engine.execute([{ sql, parameters, isWrite: false, isLong: true }]);
    expect(await long('SELECT ? AS a, count(*) AS n FROM UVManifest', ['x'])).toEqual([
      { rows: [{ a: 'x', n: 0 }], changes: 0 },
    ]);
    expect(await long('DELETE FROM UVManifest RETURNING *', [])).toMatchObject([
      { name: 'StatementFault' },
    ]);
  });

  test('runs a few at once, refuses more, and ends all when it is closed (I9)', async () => {
    const { engine } = await openBackend();
    const endless =
      'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';
    const ask = () =>
      engine.execute([
        { sql: endless, parameters: [], isWrite: false, query: { ...query, timeoutMs: 60_000 } },
      ]);
    const running = Promise.allSettled(Array.from({ length: bounds.queriesMax }, ask));
    await expect(ask()).rejects.toMatchObject({ code: 'OVERLOADED' });
    await engine.close();
    expect(
      (await running).map(
        (one) => one.status === 'rejected' && (one.reason as { code: string }).code,
      ),
    ).toEqual(Array.from({ length: bounds.queriesMax }, () => 'UNAVAILABLE'));
  });
});

test('QueryTable says when there is more than it gives, and what was wrong', async () => {
  const { engine } = openEngine();
  await engine.migrate(() => ['CREATE TABLE T (A INTEGER)', 'INSERT INTO T VALUES (1), (2), (3)']);
  const connection = { engine } as unknown as DatabaseConnection;
  expect(
    await queryTable(connection, { SQL: 'SELECT A FROM T ORDER BY A;', Cap: 2 }, 10_000),
  ).toEqual({ Rows: [{ A: 1 }, { A: 2 }], RowCount: 2, IsCut: true });
  expect(
    await queryTable(connection, { SQL: 'SELECT A FROM T ORDER BY A', Cap: 3 }, 10_000),
  ).toMatchObject({ RowCount: 3, IsCut: false });
  await expect(queryTable(connection, { SQL: 'SELECT Nope FROM T' }, 10_000)).rejects.toMatchObject(
    { code: 'INVALID_MESSAGE', message: expect.stringContaining('Nope') as string },
  );
  await expect(queryTable(connection, { SQL: 'DROP TABLE T' }, 10_000)).rejects.toThrow(
    'Only SELECT queries are allowed.',
  );
  await expect(
    queryTable(connection, { SQL: `SELECT '${'x'.repeat(bounds.queryCharsMax)}'` }, 10_000),
  ).rejects.toMatchObject({ code: 'TOO_LARGE' });
});
