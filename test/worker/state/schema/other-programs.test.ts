/** Files of newer, older and other programs are refused, or written to, as they allow. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWritable, type Connection } from '../../../../worker/state/connection.ts';
import { migrate, versionOf } from '../../../../worker/state/schema/migrate.ts';
import { schemaVersion } from '../../../../worker/state/schema/migrations.ts';
import { openStore as openStoreAt } from '../../../../worker/state/open/open-store.ts';
import { folderOfTest, hubId, openStore, upsert } from '../../../kit/worker/fixture.ts';
import { openLocal } from '../../../../worker/journal/local.ts';

const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const schemaOf = (db: Connection) =>
  db
    .prepare(
      "select type, name, sql from sqlite_schema where name not like 'sqlite_%' order by type, name",
    )
    .all();

function opened(path: string): Connection {
  const db = openWritable(path);
  onTestFinished(() => {
    db.close();
  });
  return db;
}

describe('migrate — files of other programs', () => {
  function altered(sql: string): string {
    const dir = folderOfTest();
    openStoreAt(dir.path).close();
    const db = new Database(join(dir.path, 'state', 'state.db'));
    db.exec(sql);
    db.close();
    return dir.path;
  }
  const newerBut = (
    oldestWriter: number,
  ) => `pragma user_version = ${schemaVersion + 1}; update meta set value = '${oldestWriter}' where name = 'min_writer';
    insert into schema_history values (${schemaVersion + 1}, 'later', 'x', '2030-01-01T00:00:00.000Z')`;
  const newer = newerBut(schemaVersion + 1);

  test('a newer schema is refused and not written to (A8)', () => {
    const dataDir = altered(newer);
    const path = join(dataDir, 'state', 'state.db');
    const db = opened(path);
    const before = {
      changes: db.prepare('select total_changes()').pluck().get(),
      schema: schemaOf(db),
      version: versionOf(db),
    };
    expect(() => migrate(db)).toThrow(
      expect.objectContaining({
        code: 'NEWER_SCHEMA',
        message: expect.stringContaining(`schema ${schemaVersion + 1}`),
      }),
    );
    expect({
      changes: db.prepare('select total_changes()').pluck().get(),
      schema: schemaOf(db),
      version: versionOf(db),
    }).toEqual(before);
  });

  test('the start of a worker leaves every byte of a newer store as it was (A8)', () => {
    const dataDir = altered(newer);
    const path = join(dataDir, 'state', 'state.db');
    const before = hash(path);
    expect(() => openStoreAt(dataDir)).toThrow(expect.objectContaining({ code: 'NEWER_SCHEMA' }));
    expect(hash(path)).toBe(before);
  });

  test('a newer schema that says this program may write it is written (A8)', () => {
    const dataDir = altered(newerBut(schemaVersion));
    expect(migrate(opened(join(dataDir, 'state', 'state.db')))).toBe(0);
    const { journal } = openLocal(openStore(dataDir), hubId);
    journal.append([upsert('w', 'w')], 1);
    expect(journal.counts('queue').accepted).toBe(1);
  });

  test.each([
    [
      'a released step that was another',
      "update schema_history set sha256 = 'x' where version = 1",
      /step 1 is another/,
    ],
    [
      'a history that ends before the version',
      `delete from schema_history where version = ${schemaVersion}`,
      /its history says 1/,
    ],
    [
      'a version behind the history',
      `pragma user_version = ${schemaVersion - 1}`,
      new RegExp(`says schema ${schemaVersion - 1}, its history says 1, 2, .*${schemaVersion}`),
    ],
  ])('%s is refused (A4, C7)', (_what, sql, message) => {
    expect(() => openStoreAt(altered(sql))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message) }),
    );
  });
});
