/**
 * Merges the folders that wait in rescue/ and aside/ into the open store: all at once at a start,
 * in small steps while the worker runs.
 */
import { renameSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '../../../contracts/errors.ts';
import { nextTurn, systemClock } from '../../../runtime/clock.ts';
import { type Connection, SqliteError } from '../connection.ts';
import { type Finding, recordFindings } from '../guard/finding.ts';
import { type Merged, type MergeOptions, mergeSteps } from './merge.ts';
import { restoringName } from './merge-marks.ts';
import type { StatePaths } from '../paths.ts';
import { openFolder, type OpenedSource } from './salvage.ts';
import { type Pending, pendingFolders, retire } from './set-aside.ts';

function ownMeta(db: Connection, name: string): string | undefined {
  return db.prepare<[string], string>('select value from meta where name = ?').pluck().get(name);
}

/**
 * Merges one folder after the other; yields between transactions.
 * @throws SqliteError when the store itself cannot be written
 */
function* mergeFolders(
  db: Connection,
  paths: StatePaths,
  folders: readonly Pending[],
  options: MergeOptions,
): Generator<Merged, Finding[]> {
  const findings: Finding[] = [];
  for (const folder of folders) {
    const source = openFolder(folder.path);
    if (!source) {
      retire(paths, folder);
      continue;
    }
    try {
      const finding = yield* mergeFolder(db, folder, source, options);
      source.close();
      if (finding.Class === 'other-hub') moveAside(paths, folder);
      else retire(paths, folder);
      findings.push(finding, ...conflictsOf(finding));
    } catch (error) {
      source.close();
      // The caller handles errors of the store itself. A source that cannot be read stays where it
      // is.
      if (error instanceof SqliteError) throw error;
      // When this folder is merged later, it must not restore marks: other folders are merged
      // before, and its marks would count their entries as delivered.
      db.prepare('delete from meta where name = ?').run(restoringName);
      findings.push({
        Class: 'rescue-unreadable',
        What: `${folder.path} could not be merged, and stays there: ${messageOf(error)}`,
        Detail: { Folder: folder.path },
      });
    }
  }
  return findings;
}

function* mergeFolder(
  db: Connection,
  folder: Pending,
  source: OpenedSource,
  options: MergeOptions,
): Generator<Merged, Finding> {
  const hub = ownMeta(db, 'hub');
  const theirs = source.hub ?? folder.note?.Hub ?? null;
  if (hub !== undefined && theirs !== null && theirs !== '' && theirs !== hub) {
    return {
      Class: 'other-hub',
      What: `${folder.path} holds writes of hub ${theirs}, this is hub ${hub}; set aside, none taken`,
      Detail: { Folder: folder.path, Hub: theirs },
    };
  }
  const merged = yield* mergeSteps(db, source, { ...options, from: basename(folder.path) });
  if (hub === undefined && theirs)
    db.prepare('insert or ignore into meta values (?, ?)').run('hub', theirs);
  const from = folder.isRescue ? 'a rescue' : 'files set aside';
  return {
    Class: folder.isRescue ? 'rescue-merged' : 'salvaged',
    What:
      `${merged.Imported} writes came back from ${from} (${basename(folder.path)}, read ` +
      `from ${source.kind}), ${merged.Known} were ` +
      `known${merged.Rejected ? `, ${merged.Rejected} could not be read whole` : ''}${unreadText(source)}`,
    Detail: { Folder: folder.path, Source: source.kind, ...merged },
  };
}

/** What operators call the tables beside the entries. */
const beside = {
  mark: 'marks',
  held: 'dead letters',
  refused: 'refused messages',
  assignment: 'assignments',
  operation: 'maintenance records',
} as const;

/**
 * Names the tables that could not be read whole. Entries of a damaged file are found page by page,
 * other tables only as far as SQLite can still read them.
 */
function unreadText({ unread }: OpenedSource): string {
  const names = Object.entries(beside)
    .filter(([table]) => unread.includes(table))
    .map(([, name]) => name);
  if (names.length === 0) return '';
  const again = unread.includes('mark')
    ? ': what the databases already have is sent again and changes nothing there'
    : '';
  const assigned = unread.includes('assignment') ? '; look whether a database is assigned' : '';
  return `; its ${names.join(', ')} could not be read whole${again}${assigned}`;
}

function conflictsOf({ Detail }: Finding): Finding[] {
  const { Conflicts, Conflicting, Folder } = Detail as Partial<Merged> & { Folder?: string };
  if (!Conflicts) return [];
  const first = Conflicting?.[0];
  return [
    {
      Class: 'conflict',
      What:
        `${Conflicts} writes of ${Folder} have the EventGUID of another write in the store, ` +
        `which was kept${first ? `; the first is ${first.EventGUID}, Seq ${first.Kept}` : ''}`,
      Detail: { Folder, Conflicts, Conflicting },
    },
  ];
}

function moveAside(paths: StatePaths, folder: Pending): void {
  mkdirSync(paths.asideDir, { recursive: true, mode: 0o700 });
  renameSync(folder.path, join(paths.asideDir, `${basename(folder.path)}-other-hub`));
}

/** Merges everything that waits, before the worker accepts writes. */
export function mergePending(db: Connection, paths: StatePaths, nowMs: number): Finding[] {
  const steps = mergeFolders(db, paths, pendingFolders(paths, nowMs), {
    nowMs,
    isReplayRunning: false,
  });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Looks for rescues that an earlier worker finished after this one began, and merges them while
 * this one works.
 */
export class RescueMerger {
  readonly #db: Connection;
  readonly #paths: StatePaths;
  readonly #failed = new Set<string>();
  #running: Promise<Finding[]> | null = null;
  #isStopped = false;

  constructor(db: Connection, paths: StatePaths) {
    this.#db = db;
    this.#paths = paths;
  }

  /**
   * Merges what it finds and returns the findings, which are then in table fault. Rejects with the
   * store's own error.
   */
  look(): Promise<Finding[]> {
    this.#running ??= this.#merge().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Takes no further step; the next start merges the rest. */
  stop(): void {
    this.#isStopped = true;
  }

  async #merge(): Promise<Finding[]> {
    const nowMs = systemClock.nowMs();
    const folders = pendingFolders(this.#paths, nowMs).filter(
      (one) => one.note !== null && !this.#failed.has(one.path),
    );
    if (folders.length === 0) return [];
    for (const folder of folders) this.#failed.add(folder.path);
    const steps = mergeFolders(this.#db, this.#paths, folders, { nowMs, isReplayRunning: true });
    while (!this.#isStopped) {
      const step = steps.next();
      if (step.done) {
        recordFindings(this.#db, step.value);
        return step.value;
      }
      await nextTurn();
    }
    return [];
  }
}
