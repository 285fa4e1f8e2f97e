/** A start over a database and a log that do not belong together, or of which one is gone. */
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { pathsOf } from '../../../../worker/state/paths.ts';
import { folderOfTest } from '../../../kit/worker/fixture.ts';
import {
  append,
  balance,
  crashCopy,
  noteNow,
  open,
  seqsOf,
} from '../../../kit/worker/recovery-fixture.ts';

describe('recovery — the log and its database', () => {
  /**
   * A crashed worker's folder with entries in state.db and more in its log, and an older backup.
   */
  function crashedWithBackup() {
    const [dir, crashed] = [folderOfTest(), folderOfTest()];
    const { local } = open(dir.path);
    const inBackup = append(local, 0, 5);
    local.store.db.prepare('vacuum into ?').run(crashed.at('backup.db'));
    const inFile = append(local, 5, 200, 400);
    local.store.checkpoint('truncate');
    const inLog = append(local, 200, 210);
    noteNow(local);
    crashCopy(dir.path, crashed.path);
    return {
      path: crashed.path,
      backup: crashed.at('backup.db'),
      storeId: local.store.storeId,
      inBackup,
      inFile,
      inLog,
    };
  }

  test('after a kill nothing is missing and nothing is told', () => {
    const { path, inBackup, inFile, inLog } = crashedWithBackup();
    const { local, findings } = open(path);
    expect(findings).toEqual([]);
    expect(seqsOf(local)).toEqual([...inBackup, ...inFile, ...inLog]);
  });

  test("an older backup moved beside another's log: the log is not replayed, the rest is named (D11)", () => {
    const { path, backup, storeId, inBackup, inFile, inLog } = crashedWithBackup();
    renameSync(backup, pathsOf(path).db);
    const { local, classes, findings } = open(path);
    expect(classes).toEqual(['stale-log', 'older-copy', 'salvaged', 'lost']);
    expect(local.store.storeId).toBe(storeId);
    expect(local.store.db.pragma('integrity_check', { simple: true })).toBe('ok');
    const kept = seqsOf(local);
    expect([...inBackup, ...inLog].filter((seq) => !kept.includes(seq))).toEqual([]);
    const told = findings.flatMap((one) => one.Detail.Lost ?? []);
    expect(inFile.filter((seq) => !kept.includes(seq))).toEqual(
      inFile.filter((seq) => told.some(({ From, To }) => From <= seq && seq <= To)),
    );
    expect(balance(local)).toBe(0);
  });

  test('an older backup put in place after a clean stop, by mv or cp, is adopted with the range it lacks (D11)', () => {
    for (const put of [renameSync, copyFileSync]) {
      const dir = folderOfTest();
      const first = open(dir.path);
      append(first.local, 0, 5);
      first.local.store.db.prepare('vacuum into ?').run(dir.at('backup.db'));
      const after = append(first.local, 5, 9);
      first.local.store.close();
      put(dir.at('backup.db'), pathsOf(dir.path).db);
      const { local, classes, findings } = open(dir.path);
      expect(classes).toEqual(['older-copy', 'lost']);
      expect(local.store.storeId).toBe(first.local.store.storeId);
      expect(findings[1]).toMatchObject({
        Detail: { Lost: [{ From: after[0], To: after.at(-1) }], Writes: { Queue: 4 } },
      });
    }
  });

  test('the log is gone after a kill: what was only in it is named', () => {
    const { path, inBackup, inFile, inLog } = crashedWithBackup();
    rmSync(pathsOf(path).wal);
    const { local, classes, findings } = open(path);
    expect(classes).toEqual(['log-gone', 'lost']);
    expect(seqsOf(local)).toEqual([...inBackup, ...inFile]);
    expect(findings[1]).toMatchObject({
      Detail: { Lost: [{ From: inLog[0], To: inLog.at(-1) }], Writes: { Queue: 10 } },
    });
  });

  test('only the log is left: its entries come back into the same store', () => {
    const { path, storeId, inLog } = crashedWithBackup();
    rmSync(pathsOf(path).db);
    const { local, classes } = open(path);
    expect(classes).toEqual(['missing', 'salvaged', 'lost']);
    expect(local.store.storeId).toBe(storeId);
    expect(seqsOf(local)).toEqual(expect.arrayContaining(inLog));
  });
});
