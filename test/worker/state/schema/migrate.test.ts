/**
 * Schema steps: each whole or not at all, once, in order, never changed after a release; and stores
 * of released versions go on living.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openWritable, type Connection } from '../../../../worker/state/connection.ts';
import { checksumOf, migrate, versionOf } from '../../../../worker/state/schema/migrate.ts';
import {
  type SchemaStep,
  migrations,
  schemaVersion,
} from '../../../../worker/state/schema/migrations.ts';
import frozen from '../../../../worker/state/schema/migrations.lock.json' with { type: 'json' };
import { places, withInside } from '../../../kit/worker/broken-step.ts';
import { goldenFacts, goldenNames, namesGolden, placeGolden } from '../../../kit/worker/golden.ts';
import { folderOfTest, openStore } from '../../../kit/worker/fixture.ts';
import { LaneRun } from '../../../kit/worker/lane-run.ts';
import { openLocal } from '../../../../worker/journal/local.ts';
import { moveAll } from '../../../kit/worker/move-all.ts';
import { root } from '../../../kit/source.ts';

const schemaOf = (db: Connection) =>
  db
    .prepare(
      "select type, name, sql from sqlite_schema where name not like 'sqlite_%' order by type, name",
    )
    .all();
const historyOf = (db: Connection) =>
  db.prepare('select version, sha256 from schema_history order by version').all() as {
    version: number;
    sha256: string;
  }[];

function opened(path: string): Connection {
  const db = openWritable(path);
  onTestFinished(() => {
    db.close();
  });
  return db;
}

/** A file at the schema before `version`. */
function fileBefore(version: number): string {
  const path = folderOfTest().at('state.db');
  const db = openWritable(path);
  migrate(db, migrations.slice(0, version - 1));
  db.close();
  return path;
}

function runProcess(...args: string[]): Promise<{ how: string | number | null; stdout: string }> {
  const child = spawn(
    process.execPath,
    [join(root, 'test/kit/worker/migrate-process.ts'), ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ how: signal ?? code, stdout }));
  });
}

describe('migrate — steps', () => {
  test('versions are 1 to n, and released steps are as they were released (A9)', () => {
    expect(migrations.map((step) => step.version)).toEqual(migrations.map((_, index) => index + 1));
    const released = Object.entries(frozen as Record<string, string>);
    // Only the last step may still be open.
    expect(released.map(([version]) => Number(version))).toEqual(
      migrations.slice(0, released.length).map((step) => step.version),
    );
    expect(released.length).toBeGreaterThanOrEqual(schemaVersion - 1);
    for (const [version, sha256] of released)
      expect(
        checksumOf(migrations[Number(version) - 1] as SchemaStep),
        `step ${version} was released: add a new step instead`,
      ).toBe(sha256);
  });

  test('all steps run at first, none the second time (A4)', () => {
    const path = folderOfTest().at('state.db');
    expect(migrate(opened(path))).toBe(schemaVersion);
    expect(opened(path).pragma('auto_vacuum', { simple: true })).toBe(2);
    expect(migrate(opened(path))).toBe(0);
  });

  const everywhere = migrations.flatMap(({ version }) =>
    places.map((place) => ({ version, place })),
  );

  test.each(everywhere)(
    'a throw at the $place of step $version leaves what was before it, and the next start completes it (A6)',
    ({ version, place }) => {
      const db = opened(fileBefore(version));
      const before = schemaOf(db);
      const fail = { isOn: true };
      db.function('inside', () => {
        if (fail.isOn) throw new Error('broken here');
        return 1;
      });
      expect(() => migrate(db, withInside(migrations, version, place))).toThrow('broken here');
      expect({
        version: versionOf(db),
        schema: schemaOf(db),
        inTransaction: db.inTransaction,
      }).toEqual({ version: version - 1, schema: before, inTransaction: false });
      fail.isOn = false;
      expect(migrate(db)).toBe(schemaVersion - version + 1);
    },
  );

  test.each(everywhere)(
    'SIGKILL at the $place of step $version leaves what was before it, and the next start completes it (A6)',
    async ({ version, place }) => {
      const path = fileBefore(version);
      expect((await runProcess(path, String(version), place)).how).toBe('SIGKILL');
      const db = opened(path);
      expect(versionOf(db)).toBe(version - 1);
      expect(version === 1 ? schemaOf(db) : historyOf(db)).toHaveLength(version - 1);
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(migrate(db)).toBe(schemaVersion - version + 1);
      expect(historyOf(db).map((row) => row.version)).toEqual(
        migrations.map((step) => step.version),
      );
    },
  );

  test('of eight processes on an old file exactly one runs each step (A7)', async () => {
    const path = placeGolden('state-v1', folderOfTest().path);
    const all = await Promise.all(Array.from({ length: 8 }, () => runProcess(path)));
    expect(all.map(({ how }) => how)).toEqual(Array(8).fill(0));
    expect(all.reduce((sum, { stdout }) => sum + Number(stdout), 0)).toBe(schemaVersion - 1);
    expect(historyOf(opened(path)).map((row) => row.version)).toEqual(
      migrations.map((step) => step.version),
    );
  });

  test('a step that does not say otherwise shuts older programs out, and no later one lets them in again (A8)', () => {
    const db = opened(fileBefore(schemaVersion + 1));
    const minimums = () =>
      ['min_writer', 'min_reader'].map((name) =>
        db.prepare('select value from meta where name = ?').pluck().get(name),
      );
    expect(minimums()).toEqual(['6', '5']);
    const breaking = {
      version: schemaVersion + 1,
      name: 'breaking',
      sql: 'create table a (b text) strict',
    };
    const additive = {
      version: schemaVersion + 2,
      name: 'additive',
      sql: 'create table c (d text) strict',
      oldestWriter: 1,
      oldestReader: 1,
    };
    migrate(db, [...migrations, breaking, additive]);
    expect(minimums()).toEqual([String(schemaVersion + 1), String(schemaVersion + 1)]);
    expect(() => migrate(db)).toThrow(expect.objectContaining({ code: 'NEWER_SCHEMA' }));
  });

  test('a rebuilt parent keeps its children, and orphans undo the step (A10)', () => {
    const db = opened(fileBefore(schemaVersion + 1));
    db.exec(
      "insert into database values (1, 'b', 1); insert into mark (database, lane, seq, " +
        "applied, present, skipped, store_id) values (1, 0, 5, 5, 0, 0, 's'), (1, 1, 6, " +
        "6, 0, 0, 's')",
    );
    const rebuild = (keep: string): SchemaStep => ({
      version: schemaVersion + 1,
      name: 'rebuild',
      isRebuild: true,
      sql: `create table database_new (id integer primary key, beacon text not null,
          connection integer not null, added text, unique (beacon, connection)) strict;
        insert into database_new select id, beacon, connection, null from database where ${keep};
        drop table database; alter table database_new rename to database;`,
    });
    expect(() => migrate(db, [...migrations, rebuild('false')])).toThrow(
      /2 rows without what they refer to/,
    );
    expect({ version: versionOf(db), keys: db.pragma('foreign_keys', { simple: true }) }).toEqual({
      version: schemaVersion,
      keys: 1,
    });
    expect(migrate(db, [...migrations, rebuild('true')])).toBe(1);
    expect(db.prepare('select count(*) from mark').pluck().get()).toBe(2);
    expect(db.pragma('foreign_key_check')).toEqual([]);
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  });
});

describe('migrate — stores as released versions left them', () => {
  test.each(goldenNames)(
    '%s comes to the schema of a new store, with all it had (A4, A9)',
    (name) => {
      const dir = folderOfTest();
      placeGolden(name, dir.path);
      const { Store, Epoch, Hub, Lanes, Marks, Held, Some, Entries } = goldenFacts(name);
      const store = openStore(dir.path);
      moveAll(store.db);
      expect(schemaOf(store.db)).toEqual(schemaOf(openStore().db));
      expect({ Store: store.storeId, Epoch: store.epoch, hub: store.meta('hub') }).toEqual({
        Store,
        Epoch,
        hub: Hub,
      });
      const { journal } = openLocal(store, Hub);
      expect(
        Lanes.map(({ lane }) => journal.counts(lane === 0 ? 'queue' : 'manifest')),
      ).toMatchObject(Lanes.map(({ accepted, head }) => ({ accepted, head })));
      expect(store.db.prepare('select lane, seq, applied from mark order by lane').all()).toEqual(
        Marks.map(({ lane, seq, applied }) => ({ lane, seq, applied })),
      );
      if (Held)
        expect(
          store.db.prepare('select seq, lane, key, state, reason from held order by seq').all(),
        ).toEqual(Held);
      const guidAt = store.db
        .prepare<[number], string>('select lower(hex(guid)) from entry where seq = ?')
        .pluck();
      for (const { Seq, EventGUID } of Some ?? (Entries as { Seq: number; EventGUID: string }[]))
        expect(guidAt.get(Seq)).toBe(EventGUID.replaceAll('-', ''));
      expect(store.db.pragma('integrity_check', { simple: true })).toBe('ok');
    },
  );

  test('one of schema 3 keeps its assignment, and a mark of `__proto__` harms nothing (A9, I14)', async () => {
    const dir = folderOfTest();
    placeGolden(namesGolden, dir.path);
    const store = openStore(dir.path);
    moveAll(store.db);
    expect(schemaOf(store.db)).toEqual(schemaOf(openStore().db));
    expect(store.db.prepare('select * from assignment').all()).toEqual([
      { lane: 0, beacon: 'db-1', connection: 2, assigned_ms: 1_790_000_000_000 },
    ]);
    expect(store.db.prepare('select * from tag_choice').all()).toEqual([]);
    store.close();
    const run = new LaneRun(true, dir);
    const { Queue } = run.overview.marksFile();
    expect(Object.keys(Queue)).toContain('__proto__');
    expect(JSON.stringify(Queue)).toContain('"__proto__":{"1":');
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
    await run.end();
  });
});
