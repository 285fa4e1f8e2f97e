/**
 * Manages the folders in rescue/ and aside/: finds those that wait to be merged, retires merged
 * ones, sets files aside, and deletes the oldest.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { isJsonObject, type JsonValue } from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { isoOf } from '../../../runtime/clock.ts';
import { syncFolder } from '../guard/identity-file.ts';
import type { StatePaths } from '../paths.ts';
import type { RescueNote } from './rescue.ts';

/** What a start needs of a rescue's note; fields that the note lacks are empty. */
export type NoteFacts = Pick<RescueNote, 'Store' | 'Epoch' | 'Hub'> & {
  Class: string;
  Kind: string;
  head: number;
};

/** A folder whose entries are not yet in the store. */
export type Pending = { path: string; isRescue: boolean; note: NoteFacts | null };

const mergedName = 'merged';
/** A marker file in a folder of aside/ whose entries are still to be merged. */
const markerName = 'unmerged';

function foldersOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((one) => one.isDirectory() && one.name !== mergedName)
    .map((one) => join(path, one.name))
    .sort();
}

function readNote(folder: string): NoteFacts | null {
  try {
    const note = JSON.parse(readFileSync(join(folder, 'note.json'), 'utf8')) as JsonValue;
    if (!isJsonObject(note)) return null;
    const head = isJsonObject(note['Head'])
      ? Object.values(note['Head']).filter((one) => typeof one === 'number')
      : [];
    const text = (name: string) => (typeof note[name] === 'string' ? note[name] : '');
    return {
      Store: text('Store'),
      Epoch: text('Epoch'),
      Hub: text('Hub'),
      Class: text('Class'),
      Kind: text('Kind'),
      head: Math.max(0, ...head),
    };
  } catch {
    // The note is written last, so a missing or cut note means that the rescue was not finished.
    return null;
  }
}

/**
 * A rescue without a note may still be under way in another process; its folder's name ends with
 * the process id.
 */
function isUnderWay(folder: string, nowMs: number): boolean {
  if (nowMs - statSync(folder).mtimeMs > limits.rescueUnfinishedMs) return false;
  const pid = Number(basename(folder).split('-').at(-1));
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Folders to be merged: those of rescue/, then those of aside/, each oldest first. */
export function pendingFolders(paths: StatePaths, nowMs: number): Pending[] {
  const rescues = foldersOf(paths.rescueDir)
    .map((path) => ({ path, isRescue: true, note: readNote(path) }))
    .filter((one) => one.note !== null || !isUnderWay(one.path, nowMs));
  const aside = foldersOf(paths.asideDir)
    .filter((path) => existsSync(join(path, markerName)))
    .map((path) => ({ path, isRescue: false, note: null }));
  return [...rescues, ...aside];
}

export type RescueView = { Pending: number; Merged: number; Aside: number };

/** How many folders wait to be merged, are kept after their merge, and lie in aside/. */
export function rescueView(paths: StatePaths, nowMs: number): RescueView {
  const pending = pendingFolders(paths, nowMs).length;
  return {
    Pending: pending,
    Merged: foldersOf(join(paths.rescueDir, mergedName)).length,
    Aside: foldersOf(paths.asideDir).length,
  };
}

/** Call it when a folder was merged. The folder is kept for a while, and not looked at again. */
export function retire(paths: StatePaths, pending: Pending): void {
  if (pending.isRescue) {
    const merged = join(paths.rescueDir, mergedName);
    mkdirSync(merged, { recursive: true, mode: 0o700 });
    renameSync(pending.path, join(merged, basename(pending.path)));
    syncFolder(paths.rescueDir);
  } else {
    rmSync(join(pending.path, markerName), { force: true });
    syncFolder(pending.path);
  }
  prune(paths);
}

/** Deletes the oldest folders beyond the bounds, but none that is still to be merged. */
export function prune(paths: StatePaths): void {
  const merged = foldersOf(join(paths.rescueDir, mergedName));
  for (const path of merged.slice(0, Math.max(0, merged.length - limits.rescuesMergedMax)))
    rmSync(path, { recursive: true, force: true });
  const aside = foldersOf(paths.asideDir).filter((path) => !existsSync(join(path, markerName)));
  for (const path of aside.slice(0, Math.max(0, aside.length - limits.asideFoldersMax)))
    rmSync(path, { recursive: true, force: true });
}

/**
 * Moves files into a folder of their own in aside/. Nobody may have them open.
 * @param isToMerge their entries belong to this store, and are merged at the next chance
 * @returns the folder
 */
export function setAside(
  paths: StatePaths,
  files: readonly string[],
  why: string,
  nowMs: number,
  isToMerge: boolean,
): string {
  const stamp = isoOf(nowMs).replaceAll(/[-:.Z]/g, '');
  let folder = join(paths.asideDir, `${stamp}-${why}`);
  for (let n = 2; existsSync(folder); n++) folder = join(paths.asideDir, `${stamp}-${n}-${why}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The marker is written before the files are moved: a crash in between leaves a marker without
  // files, never files without a marker.
  if (isToMerge) writeFileSync(join(folder, markerName), '', { mode: 0o600, flush: true });
  syncFolder(folder);
  syncFolder(paths.asideDir);
  for (const file of files) if (existsSync(file)) renameSync(file, join(folder, basename(file)));
  syncFolder(folder);
  syncFolder(paths.stateDir);
  prune(paths);
  return folder;
}
