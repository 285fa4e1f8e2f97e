/**
 * Checks a data directory from outside, without changing anything: what is fine, what needs
 * attention, and what to do about it.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../../contracts/limits.ts';
import { type Check, fail, lookAt, ok, warn } from './doctor-check.ts';
import { storeChecks } from './doctor-store.ts';
import { roomAt } from '../../worker/state/guard/disk.ts';
import { fileSystemAt } from '../../worker/state/open/file-system.ts';
import { pathsOf, type StatePaths } from '../../worker/state/paths.ts';

/** Never throws: what cannot be read is a failed check. */
export function examine(dataDir: string, nowMs: number): Check[] {
  const paths = pathsOf(dataDir);
  return [
    fileSystem(dataDir),
    room(dataDir),
    modes(paths),
    logSize(paths),
    ...folders(paths),
    ...storeChecks(dataDir, nowMs),
  ];
}

function fileSystem(dataDir: string): Check {
  const { name, is } = fileSystemAt(dataDir);
  if (is === 'local') return ok('file system', 'a local disk');
  if (is === 'unsure')
    return warn('file system', name, 'make sure that syncs and locks work on what is behind it');
  return fail(
    'file system',
    `${name}, a ${is} file system`,
    'move the data directory to a local disk',
  );
}

function room(dataDir: string): Check {
  const found = roomAt(dataDir);
  if (!found) return warn('free space', 'the file system does not say', '');
  const least = Math.min(limits.diskFreeBytesMin, found.totalBytes * limits.diskFreeShare);
  return found.freeBytes < least
    ? fail(
        'free space',
        `${found.freeBytes} bytes, writes are refused below ${Math.ceil(least)}`,
        'make room, or deliver and prune',
      )
    : ok('free space', `${found.freeBytes} bytes`);
}

function modes(paths: StatePaths): Check {
  const wide = [
    paths.stateDir,
    paths.db,
    paths.wal,
    paths.shm,
    paths.lock,
    join(paths.dataDir, 'token'),
  ].filter((path) => (modeOf(path) & 0o077) !== 0);
  return wide.length === 0
    ? ok('modes', 'only the owner has access')
    : warn(
        'modes',
        `others have access to ${wide.join(', ')}`,
        'start the worker once: it takes that away',
      );
}

function modeOf(path: string): number {
  return lookAt(() => statSync(path, { throwIfNoEntry: false })?.mode ?? 0, 0);
}

function logSize(paths: StatePaths): Check {
  const bytes = sizeOf(paths.wal);
  return bytes > 2 * limits.checkpointBytes
    ? warn(
        'log',
        `${bytes} bytes`,
        'find the reader that stays open; it keeps the log from being checkpointed',
      )
    : ok('log', `${bytes} bytes`);
}

function sizeOf(path: string): number {
  return lookAt(() => statSync(path, { throwIfNoEntry: false })?.size ?? 0, 0);
}

function folders({ rescueDir, asideDir }: StatePaths): Check[] {
  const rescues = namesIn(rescueDir).filter((name) => name !== 'merged');
  const aside = namesIn(asideDir);
  return [
    rescues.length === 0
      ? ok('rescue', 'nothing waits')
      : warn(
          'rescue',
          `${rescues.length} wait to be merged: ${rescues.join(', ')}`,
          'start the worker; it merges them',
        ),
    aside.length === 0
      ? ok('aside', 'nothing was set aside')
      : warn(
          'aside',
          `${aside.length} set aside: ${aside.join(', ')}`,
          'see the faults in /healthz; remove what is no longer needed',
        ),
  ];
}

function namesIn(path: string): string[] {
  return lookAt(() => readdirSync(path).sort(), []);
}
