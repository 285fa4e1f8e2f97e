/**
 * Measures how long a synced write takes in a data directory: slow disks delay every answer, and
 * syncs that are too fast do not reach the disk.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Check, ok, warn } from './doctor-check.ts';

const tries = 15;
const pageBytes = 4096;
/**
 * The fastest disks with a battery-backed cache take about 20 microseconds; anything faster was
 * written nowhere.
 */
const suspectMs = 0.015;
/** Above this even a batch of writes waits noticeably. */
const slowMs = 50;

/** Leaves no file behind. */
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
        'them): accepted writes would be lost in a power failure',
    );
  return medianMs > slowMs
    ? warn(
        'sync',
        what,
        'every answer waits for one: use a faster disk, or find out what else writes to it',
      )
    : ok('sync', what);
}

function said(ms: number): string {
  return ms < 1 ? `${Math.round(ms * 1000)} us` : `${ms.toFixed(1)} ms`;
}
