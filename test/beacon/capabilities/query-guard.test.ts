/** What the guard of raw queries lets through, and each attack it refuses, by engine. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EngineKind } from '../../../beacon/engine/engine.ts';
import { guardedQuery } from '../../../beacon/capabilities/query-guard.ts';

const everywhere: EngineKind[] = ['sqlite', 'postgresql', 'mysql', 'mssql'];
const attacks: [name: string, sql: string, kinds?: EngineKind[]][] = [
  ['nothing', ''],
  ['a stacked statement', 'SELECT 1; DELETE FROM t'],
  ['a stacked statement without a semicolon', 'SELECT 1 DELETE FROM t'],
  ['glued to a number', 'SELECT 1DELETE FROM t'],
  ['a stacked statement behind an empty one', 'SELECT 1;;'],
  ['behind a quote that seems open', "SELECT 'a'' ; '; DROP TABLE t"],
  ['insert', 'INSERT INTO t VALUES (1)'],
  ['update in brackets', '(UPDATE t SET a = 1)'],
  ['replace', 'REPLACE INTO t VALUES (1)'],
  ['a writing CTE', 'WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone'],
  ['a CTE in front of a write', 'WITH a AS (SELECT 1) UPDATE t SET a = 1'],
  ['into a table', 'SELECT * INTO copy FROM t'],
  ['into a file', "SELECT * FROM t INTO OUTFILE '/tmp/x'"],
  ['locks', 'SELECT * FROM t FOR UPDATE'],
  ['a comment that hides', 'SELECT 1 -- \n; DELETE FROM t'],
  ['a comment that runs', 'SELECT 1 /*!50000 INTO OUTFILE "/tmp/x" */'],
  ['case', 'sElEcT 1; dElEtE from t'],
  ['explain', 'EXPLAIN DELETE FROM t'],
  ['a zero character', 'SELECT 1\0; DELETE FROM t'],
  ['an open quote', "SELECT 'a"],
  ['a procedure', 'SELECT 1 EXEC xp_cmdshell 1'],
  ['a sequence', 'SELECT NEXT VALUE FOR s'],
  ['transactions', 'COMMIT'],
  ['settings', 'SET x = 1'],
  ['attach', "ATTACH 'other.db' AS other", ['sqlite']],
  ['pragma', 'PRAGMA writable_schema = 1', ['sqlite']],
  ['vacuum into', "VACUUM INTO '/tmp/x'", ['sqlite']],
  ['load_extension', "SELECT load_extension('/tmp/x.so')", ['sqlite']],
  ['a function by its quoted name', `SELECT "load_extension"('/tmp/x.so')`, ['sqlite']],
  ['a function with room before its bracket', "SELECT LOAD_EXTENSION \n ('x')", ['sqlite']],
  ['a file read', "SELECT pg_read_file('/etc/passwd')", ['postgresql']],
  [
    'a file read by its quoted name',
    `SELECT pg_catalog."pg_read_file"('/etc/passwd')`,
    ['postgresql'],
  ],
  [
    'a name in Unicode escapes',
    String.raw`SELECT U&"pg_read_fil\0065"('/etc/passwd')`,
    ['postgresql'],
  ],
  ['other sessions', 'SELECT pg_terminate_backend(1)', ['postgresql']],
  ['locks of a session', 'SELECT pg_advisory_lock(1)', ['postgresql']],
  [
    'settings by function',
    "SELECT set_config('transaction_read_only', 'off', false)",
    ['postgresql'],
  ],
  ['another server', "SELECT * FROM dblink('host=x', 'delete from t') AS t(a int)", ['postgresql']],
  ['large objects', "SELECT lo_import('/etc/passwd')", ['postgresql']],
  ['waiting', 'SELECT pg_sleep(1000)', ['postgresql']],
  ['SQL in a function', "SELECT query_to_xml('delete from t', true, true, '')", ['postgresql']],
  ['dollar quotes', 'SELECT $a$ $a$; DELETE FROM t; SELECT $a$ $a$', ['postgresql']],
  ['an escape string', String.raw`SELECT E'\'; DELETE FROM t; SELECT '`, ['postgresql']],
  ['a backslash', String.raw`SELECT '\'; DELETE FROM t; SELECT '`, ['mysql']],
  [
    'a call that seems to be text',
    String.raw`SELECT '\'', load_file('/etc/passwd'), '\''`,
    ['mysql'],
  ],
  ['a hash comment', 'SELECT 1 # ; \n; DELETE FROM t', ['mysql']],
  ['a file of the server', "SELECT load_file('/etc/passwd')", ['mysql']],
  ['a lock by name', "SELECT GET_LOCK('tidemark', 10)", ['mysql']],
  ['time wasted', "SELECT BENCHMARK(1000000000, MD5('a'))", ['mysql']],
  ['a variable', 'SELECT @a := 1', ['mysql']],
  ['another source', "SELECT * FROM OPENROWSET('SQLNCLI', 'x', 'select 1')", ['mssql']],
  ['a bracket that another engine closes later', 'SELECT [a]]; DELETE FROM t; --]', ['sqlite']],
  ['a bracket that is closed', 'SELECT [a]]]; DELETE FROM t', ['mssql']],
];

describe.each(attacks)('the guard refuses %s', (_, sql, kinds = everywhere) => {
  test.each(kinds)('%s', (kind) => {
    expect(() => guardedQuery(sql, kind)).toThrow(
      expect.objectContaining({
        code: 'INVALID_MESSAGE',
        message: expect.stringContaining('Only SELECT queries are allowed.') as string,
      }) as Error,
    );
  });
});

test.each([
  'SELECT 1',
  ' select 1 ; ',
  '(SELECT 1) UNION ALL (SELECT 2)',
  'WITH a AS (SELECT 1 AS x) SELECT x FROM a',
  'VALUES (1), (2)',
  `SELECT "Update", 'delete; insert -- not a comment' FROM t WHERE a LIKE '%drop%'`,
  "SELECT replace(Status, 'a', 'b'), UpdateDate, Deleted, \"Set\" FROM t",
  'SELECT count(*) FROM t GROUP BY a HAVING count(*) > 1 ORDER BY 1 LIMIT 5 OFFSET 1',
  "SELECT 'it''s', 1e5, 0x1F, a.b FROM c AS a",
  'SELECT CASE WHEN a = 1 THEN 2 ELSE 3 END FROM t',
])('the guard lets reading through: %s', (sql) => {
  for (const kind of everywhere)
    expect(guardedQuery(sql, kind)).toBe(sql.trim().replace(/ ?;$/, ''));
});

test('the guard ends for any text, and lets through nothing with a second statement', () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    '`',
    '[',
    ']',
    ';',
    '--',
    '/*',
    '*/',
    '\\',
    'E',
    '$',
    '$a$',
    'SELECT',
    'DELETE',
    ' ',
    '\n',
    'x',
    '1',
    '(',
    ')',
    '#',
    'U&',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.constantFrom(...everywhere),
      (pieces, kind) => {
        const sql = `SELECT ${pieces.join('')}`;
        let passed = '';
        try {
          passed = guardedQuery(sql, kind);
        } catch {
          return;
        }
        // As the engine itself would split it, by rules written a second time.
        const quoted = {
          sqlite: /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/g,
          mssql: /'(?:[^']|'')*'|"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\]/g,
        };
        if (kind === 'sqlite' || kind === 'mssql')
          expect(passed.replace(quoted[kind], ' ')).not.toMatch(/;|(?<![\w$])DELETE(?![\w$])/);
        expect(passed.startsWith('SELECT')).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
});
