/** Checks the store itself, without its worker: schema, pages, its owner, and the clock. */
import { statSync } from 'node:fs';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isoOf } from '../../runtime/clock.ts';
import { type Check, fail, lookAt, ok, warn } from './doctor-check.ts';
import { marksFile } from './doctor-marks.ts';
import { lockHolder } from '../../worker/state/open/lock-holder.ts';
import { schemaVersion } from '../../worker/state/schema/migrations.ts';
import { pathsOf, type StatePaths } from '../../worker/state/paths.ts';
import { openForReading, type ReadStore } from '../../worker/state/open/read-store.ts';

/** Never throws: a store that cannot be read is a failed check. */
export function storeChecks(dataDir: string, nowMs: number): Check[] {
  let store: ReadStore | null = null;
  const paths = pathsOf(dataDir);
  try {
    store = openForReading(dataDir);
    return [
      identity(store),
      schema(store),
      soundness(store),
      ...ownerChecks(store, paths),
      clock(store, nowMs),
      marksFile(dataDir, nowMs),
    ];
  } catch (error) {
    const isMissing = error instanceof TidemarkError && error.code === 'NOT_THERE';
    return [
      isMissing
        ? warn(
            'store',
            messageOf(error),
            'name the folder of the worker with --data, or start the worker',
          )
        : fail('store', messageOf(error), 'the line says what to do'),
    ];
  } finally {
    store?.close();
  }
}

function identity(store: ReadStore): Check {
  const id = store.value("select value from meta where name = 'store'");
  return typeof id === 'string'
    ? ok('store', id)
    : fail('store', 'it has no identity: its first start was cut off', 'start the worker');
}

function schema({ version }: ReadStore): Check {
  if (version === schemaVersion) return ok('schema', `version ${version}`);
  return version > schemaVersion
    ? fail(
        'schema',
        `version ${version}, this program knows ${schemaVersion}`,
        'use the newer program',
      )
    : warn(
        'schema',
        `version ${version} of ${schemaVersion}`,
        'start the worker; it brings it up to date',
      );
}

function soundness(store: ReadStore): Check {
  const found = store
    .all<{ quick_check: string }>('select quick_check from pragma_quick_check limit 5')
    .map((row) => row.quick_check)
    .filter((line) => line !== 'ok');
  return found.length === 0
    ? ok('pages', 'sound')
    : fail(
        'pages',
        found.join('; '),
        'stop the worker and start it again; it saves what can be read, and says what is lost',
      );
}

/** Which process had the store last, and which one holds its lock now. */
function ownerChecks(store: ReadStore, { lock, reserve }: StatePaths): Check[] {
  const holder = lockHolder(lock);
  const held = holder === null ? 'nobody is seen to hold it' : `pid ${holder} holds it`;
  if (store.version < 2)
    return [ok('worker', 'no start is noted by this schema'), ok('lock', held)];
  const last = store.all<{ pid: number; started_ms: number; stopped_ms: number | null }>(
    'select pid, started_ms, stopped_ms from boot order by rowid desc limit 1',
  )[0];
  if (!last) return [ok('worker', 'never started'), ok('lock', held)];
  const since = `pid ${last.pid}, started ${isoOf(last.started_ms)}`;
  const isRunning = last.stopped_ms === null && isAlive(last.pid);
  const worker =
    last.stopped_ms !== null
      ? ok('worker', `stopped ${isoOf(last.stopped_ms)} (${since})`)
      : isRunning
        ? ok('worker', `runs (${since})`)
        : warn(
            'worker',
            `is gone without a stop (${since})`,
            'start it again; nothing that was accepted is lost by that',
          );
  if (isRunning) return [worker, runningLockCheck(last.pid, holder, held), reserveCheck(reserve)];
  return [
    worker,
    holder === null
      ? ok('lock', held)
      : warn(
          'lock',
          `${held}, and is not the worker that is noted`,
          'a worker that starts now would exit 4: wait for that process, or end it',
        ),
  ];
}

function runningLockCheck(pid: number, holder: number | null, held: string): Check {
  return holder === pid
    ? ok('lock', held)
    : warn(
        'lock',
        `the worker, pid ${pid}, does not hold it: ${held}`,
        'the lock was removed or replaced under it: stop the worker and start it again',
      );
}

function reserveCheck(path: string): Check {
  const isReserved = (lookAt(() => statSync(path, { throwIfNoEntry: false })?.size, 0) ?? 0) > 0;
  return isReserved
    ? ok('reserve', 'room is kept for delivering on a full disk')
    : warn(
        'reserve',
        'no room is kept for delivering on a full disk',
        'it was given up, or removed: make room; the worker makes it again',
      );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function clock(store: ReadStore, nowMs: number): Check {
  const last = Number(
    store.value(
      'select coalesce(max(accepted_ms), 0) from entry where seq = (select max(seq) from entry)',
    ),
  );
  return last > nowMs
    ? warn('clock', `is behind the last accepted write, ${isoOf(last)}`, 'set the clock')
    : ok('clock', last === 0 ? 'nothing accepted yet' : `last write accepted ${isoOf(last)}`);
}
