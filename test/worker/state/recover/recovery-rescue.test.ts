/** Rescues at a start and beside a running worker, on real files. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../../contracts/limits.ts';
import { RescueMerger } from '../../../../worker/state/recover/merge-rescues.ts';
import { pathsOf } from '../../../../worker/state/paths.ts';
import { rescue } from '../../../../worker/state/recover/rescue.ts';
import { prune } from '../../../../worker/state/recover/set-aside.ts';
import { verify } from '../../../../worker/state/recover/verify.ts';
import { folderOfTest } from '../../../kit/worker/fixture.ts';
import {
  append,
  aside,
  balance,
  noteNow,
  open,
  seqsOf,
} from '../../../kit/worker/recovery-fixture.ts';

describe('recovery — rescues', () => {
  test('state/ was deleted under the worker: its rescue becomes the store, nothing is lost (D10)', () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    const seqs = append(first.local, 0, 8);
    noteNow(first.local);
    rmSync(pathsOf(dir.path).stateDir, { recursive: true });
    rescue(first.local.store, { class: 'gone', what: 'test' }, 1_000);
    first.local.store.close();
    const second = open(dir.path);
    expect(second.classes).toEqual(['missing', 'restored']);
    expect(seqsOf(second.local)).toEqual(seqs);
    expect(second.local.store.storeId).toBe(first.local.store.storeId);
    expect(second.local.store.epoch).toBe(first.local.store.epoch);
    expect(readdirSync(join(pathsOf(dir.path).rescueDir))).toEqual(['merged']);
    second.local.store.close();
    expect(open(dir.path).findings).toEqual([]);
  });

  test('a rescue that could only be written row by row is merged into the store made anew', () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    const seqs = append(first.local, 0, 8);
    noteNow(first.local);
    first.local.store.db.pragma('max_page_count = 1');
    const made = rescue(first.local.store, { class: 'gone', what: 'test' }, 1_000);
    // As if the whole copy had failed.
    const lines = first.local.store.db.prepare('select count(*) from entry').pluck().get();
    expect(made.note.Entries).toBe(lines);
    rmSync(pathsOf(dir.path).stateDir, { recursive: true });
    first.local.store.close();
    const second = open(dir.path);
    expect(seqsOf(second.local)).toEqual(seqs);
  });

  test('a rescue that ends after its successor began is merged beside it; none in flight passes it (I5)', async () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    const seqs = append(first.local, 0, 6);
    rmSync(dir.path, { recursive: true });
    const second = open(dir.path);
    const own = append(second.local, 10, 13);
    const { database } = second.local.marks.open('db-1', 1, 'queue', 0, 0);
    rescue(first.local.store, { class: 'gone', what: 'test' }, 1_000);
    const merger = new RescueMerger(second.local.store.db, second.local.store.paths);
    expect(await merger.look()).toMatchObject([
      { Class: 'rescue-merged', Detail: { Imported: 6, Parked: 6 } },
    ]);
    expect(await merger.look()).toEqual([]);
    expect(seqsOf(second.local)).toEqual([...seqs, ...own]);
    // A batch read before the merge settles up to its last entry: the older ones wait for their
    // turn below the mark.
    second.local.marks.settle(database, 'queue', {
      throughSeq: own.at(-1) ?? 0,
      throughGuid: Buffer.alloc(16),
      recordedMs: 1,
      nowMs: 1,
      applied: 3,
      present: 0,
      blocked: [],
      carrier: 'batch',
    });
    expect(
      second.local.blocked.released.next(database, 'queue', 100).runs.flatMap((run) => run.seqs),
    ).toEqual(seqs);
    expect(balance(second.local)).toBe(0);
    expect(second.local.store.db.prepare('select class from fault').pluck().all()).toEqual([
      'rescue-merged',
    ]);
  });

  test('marks of a damaged file count only if their entry is the one they name; counts add up (I4, I5, I10)', () => {
    for (const isTrue of [true, false]) {
      const dir = folderOfTest();
      const { local } = open(dir.path);
      const seqs = append(local, 0, 8);
      const { database } = local.marks.open('db-1', 1, 'queue', 0, 0);
      const guid =
        local.store.db
          .prepare<[number], Buffer>('select guid from entry where seq = ?')
          .pluck()
          .get(seqs[4] ?? 0) ?? Buffer.alloc(0);
      local.marks.settle(database, 'queue', {
        throughSeq: seqs[4] ?? 0,
        throughGuid: isTrue ? guid : Buffer.alloc(16),
        recordedMs: 1,
        nowMs: 1,
        applied: 3,
        present: 1,
        carrier: 'batch',
        blocked: [{ seq: seqs[2] ?? 0, key: 'w2', state: 'dead', reason: 'rejected: test' }],
      });
      const root =
        local.store.db
          .prepare<[], number>(
            "select rootpage from sqlite_schema where name = 'sqlite_autoindex_known_1'",
          )
          .pluck()
          .get() ?? 0;
      local.store.close();
      const file = readFileSync(pathsOf(dir.path).db);
      file.fill(0x5a, (root - 1) * 4096, root * 4096);
      writeFileSync(pathsOf(dir.path).db, file);
      const second = open(dir.path);
      expect(second.classes).toEqual(['damaged', 'salvaged']);
      expect(second.local.marks.find('db-1', 1, 'queue')).toMatchObject(
        isTrue
          ? { seq: seqs[4], applied: 3, present: 1, skipped: 0 }
          : { seq: 0, applied: 0, present: 0, skipped: 0 },
      );
      expect(second.local.blocked.list(database, 10)).toMatchObject([
        { seq: seqs[2], state: 'dead', reason: 'rejected: test' },
      ]);
      expect(verify(second.local.store.db)).toEqual({ Problems: [], Losses: [] });
    }
  });

  test("a rescue of another hub is never delivered under this one's name", () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    append(first.local, 0, 2);
    first.local.store.setMeta('hub', 'hub9');
    const elsewhere = open(folderOfTest().path);
    append(elsewhere.local, 5, 6);
    first.local.store.setMeta('hub', 'hub1');
    elsewhere.local.store.setMeta('hub', 'hub9');
    rescue(elsewhere.local.store, { class: 'gone', what: 'test' }, 1_000);
    first.local.store.close();
    mkdirSync(pathsOf(dir.path).rescueDir, { recursive: true });
    for (const name of readdirSync(elsewhere.local.store.paths.rescueDir))
      cpSync(
        join(elsewhere.local.store.paths.rescueDir, name),
        join(pathsOf(dir.path).rescueDir, name),
        { recursive: true },
      );
    const second = open(dir.path);
    expect(second.classes).toEqual(['other-hub']);
    expect(seqsOf(second.local)).toHaveLength(2);
    expect(aside(dir.path)).toHaveLength(1);
  });

  test('more merged rescues and files set aside than are kept: the oldest go, what is not merged never', () => {
    const dir = folderOfTest();
    for (let n = 0; n < limits.asideFoldersMax + 3; n++) {
      open(dir.path).local.store.close();
      rmSync(pathsOf(dir.path).db);
      mkdirSync(pathsOf(dir.path).db);
    }
    mkdirSync(join(pathsOf(dir.path).asideDir, '0000-old'));
    writeFileSync(join(pathsOf(dir.path).asideDir, '0000-old', 'unmerged'), '');
    prune(pathsOf(dir.path));
    expect(aside(dir.path).length).toBeLessThanOrEqual(limits.asideFoldersMax + 1);
    expect(aside(dir.path)).toContain('0000-old');
  });
});
