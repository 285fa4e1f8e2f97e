/**
 * A rescue that could only be written row by row, read back by the next start: entries, marks, what
 * is held, whom it is assigned to.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isoOf } from '../../../../runtime/clock.ts';
import { guidBytes } from '../../../../worker/state/entry-identity.ts';
import type { Local } from '../../../../worker/journal/local.ts';
import { type LostStore, rescue } from '../../../../worker/state/recover/rescue.ts';
import { openFolder } from '../../../../worker/state/recover/salvage.ts';
import { verify } from '../../../../worker/state/recover/verify.ts';
import { parentOf } from '../../../kit/traces.ts';
import { folderOfTest, manifest } from '../../../kit/worker/fixture.ts';
import { append, balance, noteNow, open } from '../../../kit/worker/recovery-fixture.ts';

const [beacon, connection, nowMs] = ['db-1', 1, 1_700_000_000_000];

/** Something lies where VACUUM INTO would write, so that it fails as it does on a damaged page. */
function rescueLines(store: LostStore): string {
  const folder = join(
    store.paths.rescueDir,
    `${isoOf(nowMs).replaceAll(/[-:.Z]/g, '')}-${process.pid}`,
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'state.db'), 'in the way');
  expect(rescue(store, { class: 'gone', what: 'test' }, nowMs).note.Kind).toBe('lines');
  expect(readdirSync(folder).sort()).toEqual(['entries.jsonl', 'note.json', 'tables.json']);
  return folder;
}

/**
 * Some of everything a store keeps: delivered, dead, parked, dropped and pending entries, a refused
 * message, an assignment, a stripped body.
 */
function fill(local: Local): number[] {
  const seqs = append(local, 0, 12);
  local.journal.append([{ ...manifest('m1', 'm1'), trace: parentOf('a') }], nowMs);
  const { database } = local.marks.open(beacon, connection, 'queue', 0, 0);
  const at = (n: number) => seqs[n] ?? 0;
  const blocked = [
    { n: 2, state: 'dead' as const, reason: 'rejected: test' },
    { n: 3, state: 'parked' as const, reason: null },
    { n: 4, state: 'dead' as const, reason: 'rejected: other' },
  ].map(({ n, state, reason }) => ({ seq: at(n), key: `w${n}`, state, reason }));
  const last = local.journal.read(at(7));
  local.marks.settle(database, 'queue', {
    throughSeq: at(7),
    throughGuid: guidBytes(last?.eventGuid ?? ''),
    recordedMs: 1,
    nowMs: 2,
    applied: 4,
    present: 1,
    blocked,
    carrier: 'batch',
  });
  local.blocked.drop(database, at(4), 3);
  local.journal.strip('queue', local.journal.readAfter('queue', 0, 1, 1e9));
  const { db } = local.store;
  db.prepare(
    "insert into assignment (lane, beacon, connection, assigned_ms) values (0, 'db-1', 1, 5)",
  ).run();
  db.prepare("insert into operation_progress values ('index', 'one', '[]', '7', 3, 2, 5)").run();
  db.prepare(`insert into operation_attempt
    (type, operation, sha256, result, applied_by, host, pid, app_version, started_ms, changes)
    values ('index', 'one', 'f', 'failed', 'test', 'here', 1, '0', 5, 2)`).run();
  return seqs;
}

const ordered = {
  entry: 'seq',
  held: 'database, seq',
  mark: 'database, lane',
  database: 'id',
  assignment: 'lane',
  lane: 'lane',
  refused: 'id',
  operation: 'rowid',
  operation_attempt: 'rowid',
  operation_progress: 'rowid',
};

/** Table by table, as it lies in the file. */
function contentOf({ store: { db } }: Local): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(ordered).map(([table, order]) => [
      table,
      db
        .prepare<[], Record<string, unknown>>(`select * from ${table} order by ${order}`)
        .all()
        // Only that it changes says something.
        .map((row) => ({ ...row, looked_anew: undefined })),
    ]),
  );
}

test('a row-wise rescue read back: every entry with its Seq, marks, blocked, assignment (D10, I4, I10)', () => {
  const dir = folderOfTest();
  const first = open(dir.path);
  const seqs = fill(first.local);
  const before = contentOf(first.local);
  const identity = [first.local.store.storeId, first.local.store.epoch];
  noteNow(first.local);
  rmSync(first.local.store.paths.stateDir, { recursive: true });
  rescueLines(first.local.store);
  first.local.store.close();
  const second = open(dir.path);
  expect(second.classes).toEqual(['missing', 'rescue-merged']);
  expect(contentOf(second.local)).toEqual(before);
  expect([second.local.store.storeId, second.local.store.epoch]).toEqual(identity);
  expect(
    second.local.journal
      .readAfter('queue', second.local.marks.find(beacon, connection, 'queue')?.seq ?? 0, 100, 1e9)
      .map((one) => one.seq),
  ).toEqual(seqs.slice(8));
  expect(verify(second.local.store.db)).toEqual({ Problems: [], Losses: [] });
  expect(balance(second.local)).toBe(0);
  second.local.store.close();
  const third = open(dir.path);
  expect(third.findings).toEqual([]);
  expect(contentOf(third.local)).toEqual(before);
});

test('a row-wise rescue without its tables: each entry is sent again, none counts as delivered (I5)', () => {
  const dir = folderOfTest();
  const first = open(dir.path);
  const seqs = append(first.local, 0, 6);
  noteNow(first.local);
  rmSync(first.local.store.paths.stateDir, { recursive: true });
  rmSync(join(rescueLines(first.local.store), 'tables.json'));
  first.local.store.close();
  const second = open(dir.path);
  expect(second.local.journal.readAfter('queue', 0, 100, 1e9).map((one) => one.seq)).toEqual(seqs);
  expect(balance(second.local)).toBe(0);
});

test('I14 — tables are written a row a line, so that none is too large for a text', () => {
  const { local } = open(folderOfTest().path);
  for (let n = 0; n < 3; n += 1) local.refused.keep('s', Buffer.alloc(1_000), `no ${n}`, n);
  const folder = rescueLines(local.store);
  // What lay in the way is no database.
  rmSync(join(folder, 'state.db'), { force: true });
  const path = join(folder, 'tables.json');
  const text = readFileSync(path, 'utf8');
  expect(text.split('\n').filter((line) => line.includes('"reason":"no '))).toHaveLength(3);
  const tables = openFolder(folder)?.tables;
  expect(tables?.['refused']).toHaveLength(3);
  writeFileSync(path, JSON.stringify(JSON.parse(text)));
  expect(openFolder(folder)?.tables).toEqual(tables);
});
