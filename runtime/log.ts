/**
 * Structured logging: one JSON line per fact, on stderr. Hubs' payloads are never logged, and names
 * they choose are escaped, so that they cannot control a terminal.
 */
import { fstatSync } from 'node:fs';
import { type DestinationStream, destination, pino } from 'pino';
import { visible } from './visible.ts';

/** What the parts of a process may log. Fields first, then a sentence in lower case. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/**
 * A log for the process `name`, at one of pino's levels. Lines are written synchronously, so that a
 * crash loses none.
 * @param journal the device and inode of the stream that systemd reads our output from
 * (`$JOURNAL_STREAM`)
 */
export function createLog(name: string, level = 'info', journal: string | null = null): Log {
  return pino(
    { name, level, timestamp: pino.stdTimeFunctions.isoTime, base: { name } },
    linesTo(journal),
  ) as Log;
}

/**
 * Lines for the systemd journal start with their priority, which the journal strips, so that
 * `journalctl -p warning` finds warnings.
 */
function linesTo(journal: string | null): DestinationStream {
  const out = destination({ fd: 2, sync: true });
  const isJournal = journal !== null && isStandardError(journal);
  return {
    write: (line) => out.write(`${isJournal ? `<${priorityOf(line)}>` : ''}${visible(line)}`),
  };
}

/** The variable may be inherited although our output was redirected elsewhere. */
function isStandardError(journal: string): boolean {
  const { dev, ino } = fstatSync(2);
  return journal === `${dev}:${ino}`;
}

/** The syslog priority: 3 error, 4 warning, 6 information, 7 debug. */
function priorityOf(line: string): number {
  const level = Number(/^{"level":(\d+)/.exec(line)?.[1]);
  return level >= 50 ? 3 : level >= 40 ? 4 : level >= 30 ? 6 : 7;
}
