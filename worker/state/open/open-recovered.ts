/**
 * Opens the database of a data directory: recovers files, migrates the schema, merges what was
 * saved, and reports what is lost.
 */
import { systemClock } from '../../../runtime/clock.ts';
import { initialiseStore, startBoot } from './begin.ts';
import { type Connection, openWritable, SqliteError } from '../connection.ts';
import { type Finding, recordFindings } from '../guard/finding.ts';
import { readRemembered, type Remembered } from '../guard/identity-file.ts';
import { findLosses } from '../recover/losses.ts';
import { mergePending } from '../recover/merge-rescues.ts';
import type { StatePaths } from '../paths.ts';
import { recoverFiles } from '../recover/recovery.ts';
import { openedFiles, type OpenedFiles, saveLostStore } from './lost-while-opening.ts';

type Opened = { db: Connection; files: OpenedFiles; findings: Finding[] };

/**
 * Opens state.db with everything in it that could be brought back. If damage shows only while the
 * file is used, it starts once more and treats the file as damaged.
 */
export function openRecovered(paths: StatePaths): Opened {
  const remembered = readRemembered(paths);
  try {
    return openOnce(paths, remembered, false);
  } catch (error) {
    if (!(error instanceof SqliteError) || !/^SQLITE_(CORRUPT|NOTADB)/.test(error.code))
      throw error;
    return openOnce(paths, remembered, true);
  }
}

function openOnce(paths: StatePaths, remembered: Remembered | null, isDamaged: boolean): Opened {
  const nowMs = systemClock.nowMs();
  const recovered = recoverFiles(paths, remembered, nowMs, isDamaged);
  const db = openWritable(paths.db);
  const files = openedFiles(paths);
  try {
    initialiseStore(db, paths, recovered.identity);
    const merged = mergePending(db, paths, nowMs);
    const findings = [
      ...recovered.findings,
      ...merged,
      ...findLosses(db, remembered, recovered.isDoubtful),
    ];
    recordFindings(db, findings);
    startBoot(db);
    return { db, files, findings };
  } catch (error) {
    try {
      saveLostStore(db, paths, files);
    } finally {
      db.close();
    }
    throw error;
  }
}
