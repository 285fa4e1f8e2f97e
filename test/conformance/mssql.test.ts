/**
 * The conformance suite on SQL Server, where MSSQL_TEST_URL names one; and that no other backend is
 * ever left out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mssqlUrl } from '../kit/servers/mssql.ts';
import { backends } from '../kit/conformance/backends.ts';
import { conformance } from '../kit/conformance/suite.ts';

test('SQLite, PostgreSQL and MariaDB are tested always, SQL Server where one is given', () => {
  const files = {
    sqlite: 'sqlite.test.ts',
    postgresql: 'postgresql.test.ts',
    mysql: 'mariadb.test.ts',
    mssql: 'mssql.test.ts',
  };
  expect(Object.keys(files)).toEqual(Object.keys(backends));
  for (const [name, file] of Object.entries(files))
    expect(readFileSync(join(import.meta.dirname, file), 'utf8')).toContain(
      `conformance('${name}')`,
    );
});

if (mssqlUrl !== null) conformance('mssql');
