/**
 * How long a synced write takes in a data directory, measured: slow disks hold up every answer, and
 * too fast ones do not keep their word.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Check, ok, warn } from './doctor-check.ts';

const tries = 15;
const pageBytes = 4096;
/**
 * The fastest disks with a battery behind their cache take some 20 microseconds; below this nothing
 * was written anywhere.
 */
const suspectMs = 0.015;
/** Beyond this even a batch of writes waits noticeably. */
const slowMs = 50;

/** Leaves nothing behind. */
export function syncCheck(dataDir: string, clock: Clock): Check {
  const path = join(dataDir, `.doctor-${process.pid}`);
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      const tookMs = Array.from({ length: tries }, () => {
        writeSync(file, Buffer.alloc(pageBytes, 1), 0, pageBytes, 0);
        const beganMs = clock.monotonicMs();
        fdatasyncSync(file);
        return clock.monotonicMs() - beganMs;
      }).sort((one, other) => one - other);
      return judged(tookMs[Math.floor(tries / 2)] ?? 0, tookMs.at(-1) ?? 0);
    } finally {
      closeSync(file);
      rmSync(path, { force: true });
    }
  } catch (error) {
    return warn(
      'sync',
      `cannot be measured: ${messageOf(error)}`,
      'run this as the user of the worker, on its data directory',
    );
  }
}

function judged(medianMs: number, slowestMs: number): Check {
  const what = `a synced write takes ${said(medianMs)}, the slowest of ${tries} ${said(slowestMs)}`;
  if (medianMs < suspectMs)
    return warn(
      'sync',
      `${what}: faster than any disk`,
      'syncs are ignored here (memory, a volatile cache, or a library that swallows ' +
        'them): what is accepted would be lost with the power',
    );
  return medianMs > slowMs
    ? warn(
        'sync',
        what,
        'every answer waits for one: use a faster disk, or look for who else writes to it',
      )
    : ok('sync', what);
}

function said(ms: number): string {
  return ms < 1 ? `${Math.round(ms * 1000)} us` : `${ms.toFixed(1)} ms`;
}
