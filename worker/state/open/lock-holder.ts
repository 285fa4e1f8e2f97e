/** Who holds the writer's lock, told from outside without touching it. */
import { readFileSync, statSync } from 'node:fs';

/** First byte that SQLite locks of any file. */
const lockByte = 0x40000000;

/**
 * Its pid, null when nobody is seen. From the system's list of locks: trying the lock would take it
 * away from a worker that starts just then.
 */
export function lockHolder(path: string): number | null {
  try {
    const { ino } = statSync(path);
    const line = new RegExp(`WRITE (\\d+) [0-9a-f]+:[0-9a-f]+:${ino} ${lockByte} `);
    return Number(line.exec(readFileSync('/proc/locks', 'utf8'))?.[1] ?? 0) || null;
  } catch {
    // No such list on this system, or no lock file yet: nobody is seen.
    return null;
  }
}
