/**
 * Whether the worker's files are still the files at their paths, with the content this process gave
 * them: a deleted or replaced one takes writes without an error.
 *
 * Constraint: the database itself changes only by our own checkpoints, each followed by `rebase`;
 * any other change of its size or time is somebody else's.
 */
import { statSync } from 'node:fs';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { StatePaths } from '../paths.ts';
import type { FileFinding } from './storage-error.ts';

type Seen = { dev: number; ino: number; size: number; mtimeMs: number };
type Verdict = FileFinding['verdict'] | 'same' | 'unknown';

/** How each watched file was found at the last look, for health. */
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
  /** Looks in a row that could not tell. */
  #unknowns = 0;
  /**
   * Time of change of the folder as last seen, and since when: it is coarse, so that a change right
   * behind another may not show in it.
   */
  #folderSeen = { mtimeMs: Number.NaN, sinceMs: 0 };
  /**
   * While the folder has this time, nothing was added to it, removed or renamed since all of its
   * files were found the same.
   */
  #mtimeTrustedMs = Number.NaN;

  /**
   * Call it once all files are there.
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

  /** What is wrong with the first file that is; null when nothing is, or nothing can be told. */
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
   * The same, for each commit. Looking at a log that is about to be synced makes that sync dearer
   * by a third, for its times must then be exact; a folder tells as well whether any of its files
   * is another.
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
   * @throws TidemarkError STORAGE_FAILED naming the file and what became of it; its cause is the
   * finding
   */
  assertSame(how: 'whole' | 'quick'): void {
    const finding = how === 'quick' ? this.#lookQuickly() : this.look();
    if (finding) throw new TidemarkError('STORAGE_FAILED', sentenceOf(finding), { cause: finding });
  }

  /** The database was changed by ourselves: its size and time are taken anew. */
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
    // No right to look, or interrupted: no sign of anything.
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
