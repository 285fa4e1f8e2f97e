/** Classes of storage errors, on errors that real files give. */
import { mkdirSync, openSync, writeSync, closeSync, writeFileSync, chmodSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../../contracts/errors.ts';
import {
  classOf,
  endsTheProcess,
  toStoreFault,
} from '../../../../worker/state/guard/storage-error.ts';
import { folderOfTest, openState, upsert } from '../../../kit/worker/fixture.ts';

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

function fileWithRows(path: string): Database.Database {
  const db = new Database(path, { timeout: 0 });
  db.exec('create table t (a text)');
  const insert = db.prepare('insert into t values (?)');
  db.transaction(() => {
    for (let n = 0; n < 500; n++) insert.run('x'.repeat(200));
  })();
  return db;
}

const cases: [what: string, is: string, make: (dir: string) => unknown][] = [
  [
    'another connection writes',
    'transient',
    (dir) => {
      const [one, other] = [fileWithRows(`${dir}/a`), new Database(`${dir}/a`, { timeout: 0 })];
      one.exec('begin immediate');
      return thrownBy(() => other.exec('begin immediate'));
    },
  ],
  [
    'what was read is no longer the newest',
    'transient',
    (dir) => {
      const one = fileWithRows(`${dir}/b`);
      one.pragma('journal_mode = wal');
      const other = new Database(`${dir}/b`, { timeout: 0 });
      other.exec('begin; select count(*) from t');
      other.prepare('select count(*) from t').get();
      one.exec("insert into t values ('y')");
      return thrownBy(() => other.exec("insert into t values ('z')"));
    },
  ],
  [
    'no room',
    'capacity',
    (dir) => {
      const db = fileWithRows(`${dir}/c`);
      db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true }))}`);
      return thrownBy(() => db.exec(`insert into t values ('${'x'.repeat(100_000)}')`));
    },
  ],
  [
    'no SQLite file',
    'fatal',
    (dir) => {
      writeFileSync(
        `${dir}/d`,
        'this is no SQLite file, and long enough to be looked at as one'.repeat(20),
      );
      return thrownBy(() => new Database(`${dir}/d`).prepare('select * from sqlite_schema').all());
    },
  ],
  [
    'damaged pages, while select 1 is content (D3)',
    'fatal',
    (dir) => {
      fileWithRows(`${dir}/e`).close();
      const file = openSync(`${dir}/e`, 'r+');
      for (let page = 2; page < 20; page++)
        writeSync(file, Buffer.alloc(4096, 0xee), 0, 4096, page * 4096);
      closeSync(file);
      const db = new Database(`${dir}/e`);
      expect(db.prepare('select 1').pluck().get()).toBe(1);
      return thrownBy(() => db.prepare('select * from t').all());
    },
  ],
  [
    'a folder where the file should be',
    'permission',
    (dir) => {
      mkdirSync(`${dir}/f`);
      return thrownBy(() => new Database(`${dir}/f`));
    },
  ],
  [
    'a read-only handle',
    'permission',
    (dir) => {
      fileWithRows(`${dir}/g`).close();
      chmodSync(`${dir}/g`, 0o400);
      return thrownBy(() =>
        new Database(`${dir}/g`, { readonly: true }).exec("insert into t values ('x')"),
      );
    },
  ],
  [
    'a handle that was closed',
    'closed',
    (dir) => {
      const db = fileWithRows(`${dir}/h`);
      db.close();
      return thrownBy(() => db.exec('select 1'));
    },
  ],
  [
    'a mistake of ours',
    'unknown',
    (dir) => thrownBy(() => fileWithRows(`${dir}/i`).exec('insert into nowhere values (1)')),
  ],
];

describe('D1 — classes of real errors', () => {
  test.each(cases)('%s: %s', (_what, is, make) => {
    const thrown = make(folderOfTest().path);
    expect(classOf(thrown)).toBe(is);
    // As it arrives at the end of a longer way.
    expect(classOf(toStoreFault(thrown))).toBe(is);
    expect(
      classOf(
        new TidemarkError('STORAGE_FAILED', 'x', {
          cause: new TidemarkError('STORAGE_FAILED', 'y', { cause: thrown }),
        }),
      ),
    ).toBe(is);
  });

  test('a file that was moved is told apart from one that may not be written', () => {
    const moved = new Database.SqliteError(
      'attempt to write a readonly database',
      'SQLITE_READONLY_DBMOVED',
    );
    expect([
      classOf(moved),
      classOf(new Database.SqliteError('x', 'SQLITE_READONLY')),
      classOf(new Database.SqliteError('x', 'SQLITE_IOERR_LOCK')),
    ]).toEqual(['moved', 'permission', 'transient']);
  });

  test('D2 — what a beacon says of its own database is never about ours', () => {
    const theirs = new TidemarkError(
      'UNAVAILABLE',
      'db-1: database disk image is malformed (SQLITE_CORRUPT)',
    );
    expect([
      classOf(theirs),
      classOf(new Error('SQLITE_CORRUPT: database disk image is malformed')),
      classOf('disk I/O error'),
      classOf(null),
    ]).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
  });

  test('D6 — only what cannot get better ends the process', () => {
    const all = [
      'transient',
      'capacity',
      'fatal',
      'moved',
      'gone',
      'replaced',
      'modified',
      'permission',
      'closed',
      'unknown',
    ] as const;
    expect(all.filter(endsTheProcess)).toEqual([
      'fatal',
      'moved',
      'gone',
      'replaced',
      'modified',
      'permission',
      'closed',
    ]);
  });

  test('A15 — local state that is used after its close says so', () => {
    const { store, journal } = openState();
    store.close();
    expect(classOf(thrownBy(() => journal.append([upsert('w', 'w')], 1)))).toBe('closed');
  });
});
