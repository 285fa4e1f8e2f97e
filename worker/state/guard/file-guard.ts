/**
 * Checks that the worker's files are still the files at their paths, and that only this process
 * changed the database. SQLite writes to a deleted or replaced file without an error.
 *
 * Constraint: only our own checkpoints change the database file, and each is followed by `rebase`.
 * Any other change of its size or time was made by another program.
 */
import { statSync } from 'node:fs';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { StatePaths } from '../paths.ts';
import type { FileFinding } from './storage-error.ts';

type Seen = { dev: number; ino: number; size: number; mtimeMs: number };
type Verdict = FileFinding['verdict'] | 'same' | 'unknown';

/** The verdict on each watched file at the last look, for health. */
export type IdentityView = {
  State: Verdict;
  Wal: Verdict;
  Shm: Verdict;
  Lock: Verdict;
  Folder: Verdict;
  IsArmed: true;
  IsDegraded: boolean;
};

type Watched = {
  name: 'State' | 'Wal' | 'Shm' | 'Lock' | 'Folder';
  path: string;
  seen: Seen;
  isContentOurs: boolean;
  verdict: Verdict;
};

function look(path: string): Seen | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found
    ? { dev: found.dev, ino: found.ino, size: found.size, mtimeMs: found.mtimeMs }
    : null;
}

export class FileGuard {
  readonly #watched: Watched[];
  readonly #folder: Watched;
  /** How many looks in a row could not tell. */
  #unknowns = 0;
  /**
   * The folder's modification time as last seen, and since when we see it. That time is coarse: a
   * change right after another may not show in it.
   */
  #folderSeen = { mtimeMs: Number.NaN, sinceMs: 0 };
  /**
   * While the folder has this modification time, no file in it was added, removed or renamed since
   * a look found all of them the same.
   */
  #mtimeTrustedMs = Number.NaN;

  /**
   * Call it once all files exist.
   * @throws TidemarkError STORAGE_FAILED when one cannot be watched
   */
  constructor(paths: StatePaths) {
    this.#folder = arm('Folder', paths.stateDir, false);
    this.#watched = [
      arm('State', paths.db, true),
      arm('Wal', paths.wal, false),
      arm('Shm', paths.shm, false),
      arm('Lock', paths.lock, false),
      this.#folder,
    ];
  }

  /**
   * The first file that is not the same any more; null when all are, or when a look could not tell.
   */
  look(): FileFinding | null {
    const mtimeMs = this.#folderTime();
    let isUnknown = false;
    for (const watched of this.#watched) {
      watched.verdict = verdictOn(watched);
      if (watched.verdict === 'unknown') isUnknown = true;
      else if (watched.verdict !== 'same') return { verdict: watched.verdict, path: watched.path };
    }
    this.#unknowns = isUnknown ? this.#unknowns + 1 : 0;
    if (!isUnknown) this.#trust(mtimeMs);
    return null;
  }

  /**
   * The same, cheap enough for each commit. A look at a log that is about to be synced makes that
   * sync a third slower, because the log's times must then be exact. The folder shows as well
   * whether one of its files was replaced.
   */
  #lookQuickly(): FileFinding | null {
    if (this.#folderTime() !== this.#mtimeTrustedMs) return this.look();
    for (const watched of this.#watched) {
      if (watched.name === 'Wal' || watched.name === 'Shm') continue;
      const verdict = verdictOn(watched);
      if (verdict !== 'same') return this.look();
    }
    return null;
  }

  #folderTime(): number {
    try {
      return look(this.#folder.path)?.mtimeMs ?? Number.NaN;
    } catch {
      return Number.NaN;
    }
  }

  #trust(mtimeMs: number): void {
    const nowMs = systemClock.monotonicMs();
    if (mtimeMs !== this.#folderSeen.mtimeMs) this.#folderSeen = { mtimeMs, sinceMs: nowMs };
    else if (nowMs - this.#folderSeen.sinceMs >= limits.folderTimeSettlesMs)
      this.#mtimeTrustedMs = mtimeMs;
  }

  /**
   * @throws TidemarkError STORAGE_FAILED naming the file and what happened to it; its cause is the
   * finding
   */
  assertSame(how: 'whole' | 'quick'): void {
    const finding = how === 'quick' ? this.#lookQuickly() : this.look();
    if (finding) throw new TidemarkError('STORAGE_FAILED', sentenceOf(finding), { cause: finding });
  }

  /** Call it after we changed the database ourselves: takes its size and time anew. */
  rebase(): void {
    for (const watched of this.#watched) {
      const now = watched.isContentOurs ? look(watched.path) : null;
      if (now && isSame(now, watched.seen)) watched.seen = now;
    }
  }

  view(): IdentityView {
    const of = (name: Watched['name']) =>
      this.#watched.find((one) => one.name === name)?.verdict ?? 'unknown';
    return {
      State: of('State'),
      Wal: of('Wal'),
      Shm: of('Shm'),
      Lock: of('Lock'),
      Folder: of('Folder'),
      IsArmed: true,
      IsDegraded: this.#unknowns >= limits.guardUnknownsMax,
    };
  }
}

function arm(name: Watched['name'], path: string, isContentOurs: boolean): Watched {
  const seen = look(path);
  if (!seen)
    throw new TidemarkError(
      'STORAGE_FAILED',
      `${path} is not there although it was opened; the worker cannot watch it`,
    );
  return { name, path, seen, isContentOurs, verdict: 'same' };
}

function isSame(a: Seen, b: Seen): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

function verdictOn({ path, seen, isContentOurs }: Watched): Verdict {
  let now: Seen | null;
  try {
    now = look(path);
  } catch {
    // A missing permission or an interrupted call says nothing about the file.
    return 'unknown';
  }
  if (!now) return 'gone';
  if (!isSame(now, seen)) return 'replaced';
  return isContentOurs && (now.size !== seen.size || now.mtimeMs !== seen.mtimeMs)
    ? 'modified'
    : 'same';
}

function sentenceOf({ verdict, path }: FileFinding): string {
  const became = {
    gone: 'was removed',
    replaced: 'was replaced',
    modified: 'was changed by somebody else',
  }[verdict];
  return (
    `${path} ${became} under the running worker; it saves what it still holds and ` +
    'stops, a fresh start puts it together'
  );
}
