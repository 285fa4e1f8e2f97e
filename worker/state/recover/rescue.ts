/**
 * Makes a rescue: saves what a handle still reads from files that are gone, replaced or damaged,
 * into a folder that the next start merges.
 *
 * Constraint: a worker that lost its files writes only into `rescue/`, never into `state/`, because
 * another worker may already use that. Failure: saves a whole copy if that works, else entry by
 * entry. The note is written last, so a rescue without a note was not finished.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { isoOf } from '../../../runtime/clock.ts';
import { type Connection, openReadOnly } from '../connection.ts';
import { versionOf } from '../schema/migrate.ts';
import { lineOfEntry, type StoredEntry } from './entry-lines.ts';
import type { SeqGap } from '../guard/finding.ts';
import { syncFolder } from '../guard/identity-file.ts';
import { readEntries, readTable } from './read-rows.ts';
import type { Store } from '../store.ts';
import type { FaultClass } from '../guard/storage-error.ts';

export type RescueNote = {
  Version: 1;
  Store: string;
  Epoch: string;
  Hub: string;
  At: string;
  Pid: number;
  Class: FaultClass;
  What: string;
  Kind: 'copy' | 'lines';
  Entries: number;
  Head: { queue: number; manifest: number };
  Lost: SeqGap[];
};

/** What a rescue needs of a store. */
export type LostStore = Pick<Store, 'db' | 'paths' | 'storeId' | 'epoch' | 'meta'>;

const tables = [
  'meta',
  'lane',
  'database',
  'mark',
  'held',
  'delivery',
  'owner',
  'superseded',
  'assignment',
  'horizon',
  'tag_choice',
  'refused',
  'boot',
  'fault',
  'operation',
  'operation_attempt',
  'operation_progress',
  'legacy_import',
  'legacy_reject',
  'legacy_mark',
];

/**
 * Makes the rescue and returns its folder and note. Blocks the event loop, because nothing else may
 * happen to the store any more.
 * @throws TidemarkError STORAGE_FAILED when not even single entries can be saved; the message names
 * what is lost
 */
export function rescue(
  store: LostStore,
  fault: { class: FaultClass; what: string },
  nowMs: number,
): { folder: string; note: RescueNote } {
  const folder = join(
    store.paths.rescueDir,
    `${isoOf(nowMs).replaceAll(/[-:.Z]/g, '')}-${process.pid}`,
  );
  try {
    if (store.db.inTransaction) store.db.exec('rollback');
    // Frees the reserve: a full disk may have no room for the copy.
    rmSync(store.paths.reserve, { force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const saved = copyWhole(store, folder) ?? writeLines(store, folder);
    const note: RescueNote = {
      Version: 1,
      Store: store.storeId,
      Epoch: store.epoch,
      Hub: metaOf(store, 'hub'),
      At: isoOf(nowMs),
      Pid: process.pid,
      Class: fault.class,
      What: fault.what,
      ...saved,
    };
    writeNote(folder, note);
    for (const path of [folder, store.paths.rescueDir, store.paths.dataDir]) syncFolder(path);
    return { folder, note };
  } catch (cause) {
    const { queue, manifest } = headsOf(store);
    throw new TidemarkError(
      'STORAGE_FAILED',
      `nothing could be saved into ${folder}: ${messageOf(cause)}; ` +
        (`writes behind the marks, up to Seq ${queue} (queue) and ${manifest} (manifest), ` +
          'are lost unless state/ is still whole'),
      { cause },
    );
  }
}

type Saved = Pick<RescueNote, 'Kind' | 'Entries' | 'Head' | 'Lost'>;

/**
 * Copies the whole database. Null when that fails, or when the copy does not have as many entries
 * as the counts say.
 */
function copyWhole(store: LostStore, folder: string): Saved | null {
  const path = join(folder, 'state.db');
  try {
    store.db.prepare('vacuum into ?').run(path);
    chmodSync(path, 0o600);
    const copy = openReadOnly(path);
    try {
      const isSound = copy.pragma('quick_check(1)', { simple: true }) === 'ok';
      const hasHorizon = versionOf(copy) >= 5;
      const entries = numberIn(
        copy,
        `select count(*) from ${hasHorizon ? 'known_entry' : 'entry'}`,
      );
      const accepted = numberIn(
        copy,
        `select sum(accepted)${hasHorizon ? ' - sum(forgotten)' : ''} from lane`,
      );
      if (isSound && entries === accepted)
        return { Kind: 'copy', Entries: entries, Head: headsOf(store), Lost: [] };
    } finally {
      copy.close();
    }
  } catch {
    // Damage, or no room: saving entry by entry may still work.
  }
  rmSync(path, { force: true });
  return null;
}

function numberIn(db: Connection, sql: string): number {
  return Number(db.prepare(sql).pluck().get());
}

function writeLines(store: LostStore, folder: string): Saved {
  writeTables(store.db, join(folder, 'tables.json'));
  const file = openSync(join(folder, 'entries.jsonl'), 'w', 0o600);
  try {
    const entries = readEntries(store.db);
    const broken: SeqGap[] = [];
    for (let count = 0; ;) {
      const next = entries.next();
      if (next.done) {
        fsyncSync(file);
        return {
          Kind: 'lines',
          Entries: count,
          Head: headsOf(store),
          Lost: [...next.value, ...broken].sort((a, b) => a.From - b.From),
        };
      }
      const line = lineOrNull(next.value);
      if (line === null) broken.push({ From: next.value.seq, To: next.value.seq });
      else {
        writeSync(file, line);
        count += 1;
      }
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Writes one JSON object with a row on each line, because a table may be longer than a JavaScript
 * string can be.
 */
function writeTables(db: Connection, path: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (const [at, name] of tables.entries()) {
      writeSync(file, `${at === 0 ? '{' : ','}\n${JSON.stringify(name)}:[`);
      let separator = '\n';
      for (const row of readTable(db, name)) {
        writeSync(file, separator + JSON.stringify(row));
        separator = ',\n';
      }
      writeSync(file, '\n]');
    }
    writeSync(file, '\n}\n');
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Null for a damaged entry, so that the others are still saved. */
function lineOrNull(entry: StoredEntry): string | null {
  try {
    return `${JSON.stringify(lineOfEntry(entry))}\n`;
  } catch {
    return null;
  }
}

function writeNote(folder: string, note: RescueNote): void {
  const path = join(folder, 'note.json');
  writeFileSync(`${path}.tmp`, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
}

function headsOf(store: LostStore): { queue: number; manifest: number } {
  try {
    const heads = store.db.prepare('select head from lane order by lane').pluck().all() as number[];
    return { queue: heads[0] ?? 0, manifest: heads[1] ?? 0 };
  } catch {
    return { queue: 0, manifest: 0 };
  }
}

function metaOf(store: LostStore, name: string): string {
  try {
    return store.meta(name) ?? '';
  } catch {
    return '';
  }
}
