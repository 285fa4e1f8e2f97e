/**
 * One JSON line per fact, on stderr; payloads of hubs are never logged, and what they named cannot
 * steer a terminal.
 */
import { fstatSync } from 'node:fs';
import { type DestinationStream, destination, pino } from 'pino';
import { visible } from './visible.ts';

/** What the parts of a process may say. Fields first, then a lower-case sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/**
 * A log of the process `name`; `level` is one of pino's, `info` by default. Lines are written at
 * once, so a crash loses none.
 * @param journal the stream systemd keeps our output from, as `$JOURNAL_STREAM` names it
 */
export function createLog(name: string, level = 'info', journal: string | null = null): Log {
  return pino(
    { name, level, timestamp: pino.stdTimeFunctions.isoTime, base: { name } },
    linesTo(journal),
  ) as Log;
}

/**
 * Each line for the journal has its priority in front, which the journal takes off again:
 * `journalctl -p warning` finds what is one.
 */
function linesTo(journal: string | null): DestinationStream {
  const out = destination({ fd: 2, sync: true });
  const isJournal = journal !== null && isStandardError(journal);
  return {
    write: (line) => out.write(`${isJournal ? `<${priorityOf(line)}>` : ''}${visible(line)}`),
  };
}

/** Whoever started us may have sent our output elsewhere, and left the variable. */
function isStandardError(journal: string): boolean {
  const { dev, ino } = fstatSync(2);
  return journal === `${dev}:${ino}`;
}

/** Of syslog: 3 an error, 4 a warning, 6 information, 7 for searching. */
function priorityOf(line: string): number {
  const level = Number(/^{"level":(\d+)/.exec(line)?.[1]);
  return level >= 50 ? 3 : level >= 40 ? 4 : level >= 30 ? 6 : 7;
}
