/**
 * Classifies errors of the worker's own SQLite handle, and says after which of them the process
 * must end.
 */
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { SqliteError } from '../connection.ts';

/**
 * transient: a lock, try again. capacity: no room, accept nothing until there is. fatal: the file
 * is damaged or the disk fails. moved, gone, replaced, modified: the file is not ours any more.
 * permission: we may no longer write. closed: the handle is closed. unknown: not about the file,
 * perhaps a bug.
 */
export type FaultClass =
  | 'transient'
  | 'capacity'
  | 'fatal'
  | 'moved'
  | 'gone'
  | 'replaced'
  | 'modified'
  | 'permission'
  | 'closed'
  | 'unknown';

/**
 * What the guard found out about one watched file. It is the cause of the error that reports it.
 */
export type FileFinding = { verdict: 'gone' | 'replaced' | 'modified'; path: string };

/**
 * The first match counts. Transient codes come first, because two of them begin like failures of
 * the disk.
 */
const codes: readonly (readonly [prefix: string, is: FaultClass])[] = [
  ['SQLITE_BUSY', 'transient'],
  ['SQLITE_LOCKED', 'transient'],
  ['SQLITE_PROTOCOL', 'transient'],
  ['SQLITE_SCHEMA', 'transient'],
  ['SQLITE_IOERR_BLOCKED', 'transient'],
  ['SQLITE_IOERR_LOCK', 'transient'],
  ['SQLITE_FULL', 'capacity'],
  ['SQLITE_READONLY_DBMOVED', 'moved'],
  ['SQLITE_CORRUPT', 'fatal'],
  ['SQLITE_NOTADB', 'fatal'],
  ['SQLITE_IOERR', 'fatal'],
  ['SQLITE_READONLY', 'permission'],
  ['SQLITE_CANTOPEN', 'permission'],
  ['SQLITE_PERM', 'permission'],
  ['SQLITE_AUTH', 'permission'],
];

/**
 * The class of any thrown value. Judged by SQLite's code and not by messages, because a beacon may
 * say "disk image is malformed" of its own database. A closed handle has no code, only a message.
 */
export function classOf(thrown: unknown): FaultClass {
  if (thrown instanceof SqliteError)
    return codes.find(([prefix]) => thrown.code.startsWith(prefix))?.[1] ?? 'unknown';
  if (thrown instanceof TypeError && thrown.message === 'The database connection is not open')
    return 'closed';
  if (!(thrown instanceof TidemarkError) || thrown.cause === undefined) return 'unknown';
  return isFinding(thrown.cause) ? thrown.cause.verdict : classOf(thrown.cause);
}

function isFinding(cause: unknown): cause is FileFinding {
  return typeof cause === 'object' && cause !== null && 'verdict' in cause && 'path' in cause;
}

const ending: ReadonlySet<FaultClass> = new Set([
  'fatal',
  'moved',
  'gone',
  'replaced',
  'modified',
  'permission',
  'closed',
]);

/**
 * True for errors after which the process may neither answer nor write: it rescues what the handle
 * still reads, and a fresh process examines the files.
 */
export function endsTheProcess(found: FaultClass): boolean {
  return ending.has(found);
}

/** True for every error of SQLite itself, also for those without a class. */
export function isOfStore(thrown: unknown): boolean {
  return thrown instanceof SqliteError;
}

/** Makes the error that ends the process from a failure of the store. */
export function toStoreFault(thrown: unknown): TidemarkError {
  return thrown instanceof TidemarkError
    ? thrown
    : new TidemarkError('STORAGE_FAILED', `the journal failed: ${messageOf(thrown)}`, {
        cause: thrown,
      });
}
