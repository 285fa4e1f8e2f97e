/**
 * Change events: every change of the store is told, behind its commit and in order; nothing is told
 * of what was rolled back.
 */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import type { Local } from '../../../worker/journal/local.ts';
import { ChangeLog, type Changes } from '../../../worker/state/schema/change-log.ts';
import { importIncumbentFiles } from '../../../worker/incumbent/incumbent-import.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderOfTest, openState, upsert } from '../../kit/worker/fixture.ts';

const guid = Buffer.alloc(16);
const settled = {
  throughGuid: guid,
  recordedMs: 1,
  nowMs: 2,
  applied: 1,
  present: 0,
  carrier: 'batch' as const,
};

/** Each method that changes what listeners may look at, after what it needs. */
const methods: [
  name: string,
  prepare: (local: Local) => number,
  change: (local: Local, seq: number) => unknown,
][] = [
  [
    'journal.append',
    () => 0,
    ({ journal }) => journal.append([upsert('w', 'x'), upsert('v', 'y')], 5),
  ],
  [
    'journal.strip',
    one,
    ({ journal }) => journal.strip('queue', journal.readAfter('queue', 0, 1, 1e6)),
  ],
  ['marks.open', one, ({ marks }) => marks.open('db-2', 1, 'queue', 0, 0)],
  [
    'marks.settle',
    one,
    ({ marks }, seq) => marks.settle(1, 'queue', { ...settled, throughSeq: seq, blocked: [] }),
  ],
  [
    'marks.settle with a dead letter',
    one,
    ({ marks }, seq) =>
      marks.settle(1, 'queue', {
        ...settled,
        throughSeq: seq,
        blocked: [{ seq, key: 'w', state: 'dead', reason: 'no' }],
      }),
  ],
  ['marks.rewind', dead, ({ marks }) => marks.rewind(1, 'queue', 0, 0)],
  ['marks.setStoreId', one, ({ marks }) => marks.setStoreId(1, 'queue', 'other')],
  ['held.park', one, ({ blocked }, seq) => blocked.park(1, 'queue', [{ seq, key: 'w' }], 3)],
  ['held.bury', dead, ({ blocked }, seq) => blocked.bury(1, seq, 'again', 4)],
  ['held.retry', dead, ({ blocked }, seq) => blocked.retry(1, seq, 4)],
  ['held.drop', dead, ({ blocked }, seq) => blocked.drop(1, seq, 4)],
  ['held.settle', dead, ({ blocked }, seq) => blocked.settle(1, 'queue', [seq], true)],
  ['refused.keep', () => 0, ({ refused }) => refused.keep('s', Buffer.from('x'), 'no', 1)],
  [
    'refused.drop',
    (local) => {
      local.refused.keep('s', Buffer.from('x'), 'no', 1);
      return 0;
    },
    ({ refused }) => refused.drop(1),
  ],
  ['pause', () => 0, ({ store }) => store.setMeta('paused', 'yes')],
  [
    'resume',
    ({ store }) => {
      store.setMeta('paused', 'yes');
      return 0;
    },
    ({ store }) => store.setMeta('paused', 'no'),
  ],
  [
    'assign',
    () => 0,
    ({ store }) =>
      store.db
        .prepare(
          "insert into assignment (lane, beacon, connection, assigned_ms) values (0, 'db', 1, 1)",
        )
        .run(),
  ],
  [
    'clear',
    ({ store }) => {
      store.db.exec(
        "insert into assignment (lane, beacon, connection, assigned_ms) values (0, 'db', 1, 1)",
      );
      return 0;
    },
    ({ store }) => store.db.exec('delete from assignment'),
  ],
  [
    'an operation is noted',
    () => 0,
    ({ store }) =>
      store.db.exec(`insert into operation (type, id, sha256, title, state, applied_by, host, pid,
          app_version, started_ms, ended_ms, changes)
          values ('operation', 'x', '', '', 'applied', 'cli', '', 1, '', 1, 1, 0)`),
  ],
  [
    'legacy import',
    ({ store }) => {
      writeFileSync(
        join(store.dataDir, 'persistence-assignment.json'),
        '{"Queue":{"BeaconID":"db-9","IDBeaconConnection":1},"Manifest":null}',
      );
      return 0;
    },
    ({ store }) => importIncumbentFiles(store, 7),
  ],
];

function one({ journal, marks }: Local): number {
  const [appended] = journal.append([upsert('w', 'a')], 1);
  marks.open('db-1', 1, 'queue', 0, 0);
  return (appended as { seq: number }).seq;
}

function dead(local: Local): number {
  const seq = one(local);
  local.marks.settle(1, 'queue', {
    ...settled,
    throughSeq: seq,
    blocked: [{ seq, key: 'w', state: 'dead', reason: 'no' }],
  });
  return seq;
}

/**
 * Not told of: the log itself; counts that go with entries; times of settling and of the process;
 * what reads derive from entries; records about the past.
 */
const silentTables = new Set([
  'change_log',
  'sqlite_sequence',
  'lane',
  'delivery',
  'projected',
  'projection',
  'boot',
  'fault',
  'schema_history',
  'operation_attempt',
  'operation_progress',
  'legacy_reject',
  'legacy_mark',
  'held_count',
  'released',
  'horizon',
]);
/** Told under the name they have for those who listen: together they are the entries. */
const namesTold = new Map(
  ['known', 'queue_body', 'manifest_body'].map((table) => [table, 'entry']),
);

function contents({ store }: Local): Map<string, string> {
  const tables = store.db
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_stat%'")
    .pluck()
    .all() as string[];
  return new Map(
    tables
      .filter((table) => !silentTables.has(table))
      .map((table) => {
        const where = table === 'meta' ? "where name = 'paused'" : '';
        return [table, JSON.stringify(store.db.prepare(`select * from ${table} ${where}`).all())];
      }),
  );
}

describe('A11, A14 — what is announced is what changed', () => {
  test.each(methods)('%s', (_name, prepare, change) => {
    const local = openState();
    const seq = prepare(local);
    const log = new ChangeLog(local.store.db);
    log.forgetThrough(log.next()?.cursor ?? 0);
    const before = contents(local);
    change(local, seq);
    const after = contents(local);
    const changed = [...after]
      .filter(([table, rows]) => before.get(table) !== rows)
      .map(([table]) => namesTold.get(table) ?? table);
    expect(changed.length).toBeGreaterThan(0);
    expect([...new Set(log.next()?.changes.map((told) => told.table))].sort()).toEqual(
      [...new Set(changed)].sort(),
    );
  });
});

describe('the log', () => {
  test('A13 — a rolled-back transaction leaves nothing to tell', () => {
    const { store, journal } = openState();
    const log = new ChangeLog(store.db);
    expect(() =>
      journal.together(() => {
        journal.append([upsert('w', 'a')], 1);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(log.next()).toBeNull();
  });

  test('one line a commit, with the Seqs of its entries, at most a hundred', () => {
    const { store, journal } = openState();
    const log = new ChangeLog(store.db);
    const appended = journal.append(
      Array.from({ length: 250 }, (_, n) => upsert('w', `${n}`)),
      1,
    ) as { seq: number }[];
    expect(log.next()?.changes).toEqual([
      {
        table: 'entry',
        op: 'create',
        ids: appended.slice(0, limits.changeIdsMax).map((entry) => entry.seq),
        Count: 250,
      },
    ]);
    const { cursor } = log.next() as Changes;
    journal.append([upsert('w', '0')], 2);
    expect(log.next()?.cursor).toBe(cursor);
  });

  test('what follows on each other within a table stays in order: assigned, cleared, assigned', () => {
    const { store } = openState();
    const log = new ChangeLog(store.db);
    const assign = () =>
      store.db.exec(
        "insert into assignment (lane, beacon, connection, assigned_ms) values (0, 'db', 1, 1)",
      );
    assign();
    store.db.exec('delete from assignment');
    assign();
    expect(log.next()?.changes.map((change) => change.op)).toEqual(['create', 'delete', 'create']);
  });

  test('an older copy of the store that is put back tells its changes under other cursors', () => {
    const [dir, other] = [folderOfTest(), folderOfTest()];
    const first = openState(dir.path);
    first.journal.append([upsert('w', 'a')], 1);
    mkdirSync(other.at('state'), { mode: 0o700 });
    first.store.db.prepare('vacuum into ?').run(other.at('state', 'state.db'));
    first.journal.append([upsert('w', 'b')], 1);
    const told = new ChangeLog(first.store.db).next() as Changes;
    const copy = openState(other.path);
    new ChangeLog(copy.store.db).forgetThrough(told.cursor);
    copy.journal.append([upsert('w', 'c')], 1);
    expect(copy.store.storeId).toBe(first.store.storeId);
    expect(new ChangeLog(copy.store.db).next()?.From).toBeGreaterThan(told.cursor);
  });

  test('cursors are never given again, also after all was told', () => {
    const { store, journal } = openState();
    const log = new ChangeLog(store.db);
    const cursors = Array.from({ length: 5 }, (_, n) => {
      journal.append([upsert('w', `${n}`)], n);
      const told = log.next() as Changes;
      log.forgetThrough(told.cursor);
      return [told.From, told.cursor];
    });
    expect(cursors.slice(1).map(([from]) => from)).toEqual(
      cursors.slice(0, -1).map(([, cursor]) => cursor),
    );
    expect(cursors.every(([from = 0, cursor]) => cursor === from + 1)).toBe(true);
  });

  test('I9 — too many are replaced by one that says to read everything again', () => {
    const { store, journal } = openState();
    const log = new ChangeLog(store.db);
    journal.append([upsert('w', 'a')], 1);
    store.db
      .prepare(`insert into change_log (tbl, op, ids, count)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
        select 'held', 'create', '[]', 1 from n`)
      .run(limits.changeLogRowsMax);
    const first = (log.next() as Changes).From;
    log.bound();
    const told = log.next() as Changes;
    expect(told).toEqual({
      cursor: first + limits.changeLogRowsMax + 2,
      From: first + limits.changeLogRowsMax + 1,
      changes: [],
      Resync: true,
    });
    log.forgetThrough(told.cursor);
    journal.append([upsert('w', 'b')], 1);
    log.bound();
    expect(log.next()).toMatchObject({ From: told.cursor, cursor: told.cursor + 1 });
  });
});
