/**
 * Statements for a fronted server's operator: types its library can write, and columns of other
 * types named with what mends them.
 */
import { expect, test } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { FrontClient } from '../../../beacon/front/front-client.ts';
import { misfitsOf, statementsFor } from '../../../beacon/front/front-ddl.ts';

const manifest =
  persistenceSchema.Tables.find(({ Scope }) => Scope === 'UVManifest') ??
  persistenceSchema.Tables[0];
if (!manifest) throw new Error('no table');
const descriptor = { Tables: [manifest] };
const nowhere = new FrontClient('http://127.0.0.1:1');
const column = (name: string, nativeType: string, charsMax: number | null = null) => ({
  name,
  nativeType,
  charsMax,
});

test('on PostgreSQL Deleted is a number, for the server writes 0 and 1', async () => {
  const [made = ''] = await statementsFor(nowhere, 1, {
    tables: [],
    descriptor,
    kind: 'postgresql',
  });
  expect(made).toContain('"Deleted" bigint NOT NULL DEFAULT 0');
  expect(made).toContain('"Live" boolean');
});

test('on MariaDB keys have a collation of their own, also where the server cannot be asked for the best', async () => {
  const tables = [{ Scope: 'UVManifest', Exists: true, Columns: [], MissingColumns: ['Hash'] }];
  const [added = ''] = await statementsFor(nowhere, 1, { tables, descriptor, kind: 'mysql' });
  expect(added).toMatch(
    /ADD COLUMN `Hash` varchar\(128\) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin/,
  );
});

test('a Deleted that is a boolean, and text that is short, are named with the statement that mends them', () => {
  expect(
    misfitsOf('postgresql', manifest, [
      column('Deleted', 'boolean'),
      column('ManifestJSON', 'text'),
    ]),
  ).toEqual([
    {
      column: 'UVManifest.Deleted',
      why: expect.stringContaining('cannot be restored') as string,
      statement: expect.stringContaining('TYPE integer USING "Deleted"::integer') as string,
    },
  ]);
  expect(
    misfitsOf('mysql', manifest, [
      column('Deleted', 'tinyint'),
      column('ManifestJSON', 'text', 65_535),
      column('Extra', 'longtext', 4_294_967_295),
    ]),
  ).toEqual([
    {
      column: 'UVManifest.ManifestJSON',
      why: expect.stringContaining('65535 bytes') as string,
      statement: 'ALTER TABLE `UVManifest` MODIFY COLUMN `ManifestJSON` longtext',
    },
  ]);
  expect(
    misfitsOf('sqlite', manifest, [column('Deleted', 'boolean'), column('ManifestJSON', 'text')]),
  ).toEqual([]);
});
