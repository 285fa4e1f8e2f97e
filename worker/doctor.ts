/** Looks over a data directory from outside, without changing anything: what is fine, what wants attention, and what to do about it. */
import { readdirSync, statSync } from 'node:fs';
import { messageOf } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { isoOf } from '../runtime/clock.ts';
import { roomAt } from './state/disk.ts';
import { fileSystemAt } from './state/file-system.ts';
import { schemaVersion } from './state/migrations.ts';
import { pathsOf, type StatePaths } from './state/paths.ts';
import { openForReading, type ReadStore } from './state/read-store.ts';

/** `Do` is for whoever reads it; empty when there is nothing to do. */
export type Check = { Name: string; Level: 'ok' | 'warn' | 'fail'; What: string; Do: string };

const ok = (Name: string, What: string): Check => ({ Name, Level: 'ok', What, Do: '' });
const warn = (Name: string, What: string, Do: string): Check => ({ Name, Level: 'warn', What, Do });
const fail = (Name: string, What: string, Do: string): Check => ({ Name, Level: 'fail', What, Do });

/** Never throws: what cannot be looked at is a check that failed. */
export function examine(dataDir: string, nowMs: number): Check[] {
  const paths = pathsOf(dataDir);
  return [fileSystem(dataDir), room(dataDir), modes(paths), logSize(paths), ...folders(paths), ...storeChecks(dataDir, nowMs)];
}

function fileSystem(dataDir: string): Check {
  const { name, is } = fileSystemAt(dataDir);
  if (is === 'local') return ok('file system', 'a local disk');
  if (is === 'unsure') return warn('file system', name, 'make sure that syncs and locks hold on what is behind it');
  return fail('file system', `${name}, a ${is} file system`, 'move the data directory to a local disk');
}

function room(dataDir: string): Check {
  const found = roomAt(dataDir);
  if (!found) return warn('free space', 'the file system does not say', '');
  const least = Math.min(limits.diskFreeBytesMin, found.totalBytes * limits.diskFreeShare);
  return found.freeBytes < least ? fail('free space', `${found.freeBytes} bytes, writes are refused below ${Math.ceil(least)}`, 'make room, or deliver and prune') : ok('free space', `${found.freeBytes} bytes`);
}

function modes(paths: StatePaths): Check {
  const wide = [paths.stateDir, paths.db, paths.wal, paths.shm, paths.lock].filter((path) => (modeOf(path) & 0o077) !== 0);
  return wide.length === 0 ? ok('modes', 'only the owner has access') : warn('modes', `others have access to ${wide.join(', ')}`, 'start the worker once: it takes that away');
}

function modeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  } catch {
    // No right to look is told by the check of the store.
    return 0;
  }
}

function logSize(paths: StatePaths): Check {
  const bytes = sizeOf(paths.wal);
  return bytes > 2 * limits.checkpointBytes ? warn('log', `${bytes} bytes`, 'look for a reader that stays open; it keeps the log from being folded in') : ok('log', `${bytes} bytes`);
}

function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}

function folders({ rescueDir, asideDir }: StatePaths): Check[] {
  const rescues = namesIn(rescueDir).filter((name) => name !== 'merged');
  const aside = namesIn(asideDir);
  return [
    rescues.length === 0 ? ok('rescue', 'nothing waits') : warn('rescue', `${rescues.length} wait to be merged: ${rescues.join(', ')}`, 'start the worker; it merges them'),
    aside.length === 0 ? ok('aside', 'nothing was set aside') : warn('aside', `${aside.length} set aside: ${aside.join(', ')}`, 'see the faults in /healthz; remove what is not needed any more'),
  ];
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

function storeChecks(dataDir: string, nowMs: number): Check[] {
  let store: ReadStore | null = null;
  try {
    store = openForReading(dataDir);
    return [identity(store), schema(store), soundness(store), owner(store), clock(store, nowMs)];
  } catch (error) {
    return [fail('store', messageOf(error), 'the line says what to do')];
  } finally {
    store?.close();
  }
}

function identity(store: ReadStore): Check {
  const id = store.value("select value from meta where name = 'store'");
  return typeof id === 'string' ? ok('store', id) : fail('store', 'it has no identity: its first start was cut off', 'start the worker');
}

function schema({ version }: ReadStore): Check {
  if (version === schemaVersion) return ok('schema', `version ${version}`);
  return version > schemaVersion ? fail('schema', `version ${version}, this program knows ${schemaVersion}`, 'use the newer program') : warn('schema', `version ${version} of ${schemaVersion}`, 'start the worker; it brings it up to date');
}

function soundness(store: ReadStore): Check {
  const found = store.all<{ quick_check: string }>('select quick_check from pragma_quick_check limit 5').map((row) => row.quick_check).filter((line) => line !== 'ok');
  return found.length === 0 ? ok('pages', 'sound') : fail('pages', found.join('; '), 'stop the worker and start it again; it saves what can be read, and says what is lost');
}

function owner(store: ReadStore): Check {
  if (store.version < 2) return ok('worker', 'no start is noted by this schema');
  const last = store.all<{ pid: number; started_ms: number; stopped_ms: number | null }>('select pid, started_ms, stopped_ms from boot order by rowid desc limit 1')[0];
  if (!last) return ok('worker', 'never started');
  const since = `pid ${last.pid}, started ${isoOf(last.started_ms)}`;
  if (last.stopped_ms !== null) return ok('worker', `stopped ${isoOf(last.stopped_ms)} (${since})`);
  return isAlive(last.pid) ? ok('worker', `runs (${since})`) : warn('worker', `is gone without a stop (${since})`, 'start it again; nothing that was accepted is lost by that');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function clock(store: ReadStore, nowMs: number): Check {
  const last = Number(store.value('select coalesce(max(accepted_ms), 0) from entry where seq = (select max(seq) from entry)'));
  return last > nowMs ? warn('clock', `is behind the last accepted write, ${isoOf(last)}`, 'set the clock') : ok('clock', last === 0 ? 'nothing accepted yet' : `last write accepted ${isoOf(last)}`);
}
