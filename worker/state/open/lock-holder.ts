/** Finds out which process holds the writer's lock, without touching the lock. */
import { readFileSync, statSync } from 'node:fs';

/** The first byte of a file that SQLite locks. */
const lockByte = 0x40000000;

/**
 * The pid of the holder; null when none is found. Reads the system's list of locks: trying the lock
 * could take it from a worker that is just starting.
 */
export function lockHolder(path: string): number | null {
  try {
    const { ino } = statSync(path);
    const line = new RegExp(`WRITE (\\d+) [0-9a-f]+:[0-9a-f]+:${ino} ${lockByte} `);
    return Number(line.exec(readFileSync('/proc/locks', 'utf8'))?.[1] ?? 0) || null;
  } catch {
    // The system has no such list, or there is no lock file yet.
    return null;
  }
}
