/** One JSON line per fact, on stderr; payloads of hubs are never logged. */
import { destination, pino } from 'pino';

/** What the parts of a process may say. Fields first, then a lower-case sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/** A log of the process `name`; `level` is one of pino's, `info` by default. Lines are written at once, so a crash loses none. */
export function createLog(name: string, level = 'info'): Log {
  return pino({ name, level, timestamp: pino.stdTimeFunctions.isoTime, base: { name } }, destination({ fd: 2, sync: true })) as Log;
}
