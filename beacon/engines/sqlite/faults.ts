/** Classifies errors of SQLite: the statement was refused, or the database itself is faulty. */
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { StatementFault } from '../../engine/engine.ts';
import { Misfit } from '../../engine/table.ts';

/** The result code of an error of SQLite (`SQLITE_FULL`); null for any other error. */
export function sqliteCodeOf(error: unknown): string | null {
  return error instanceof Error &&
    error.name === 'SqliteError' &&
    'code' in error &&
    typeof error.code === 'string'
    ? error.code
    : null;
}

const uniqueCodes: ReadonlySet<string> = new Set([
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_ROWID',
]);
const misfitCodes: ReadonlySet<string> = new Set([
  'SQLITE_TOOBIG',
  'SQLITE_MISMATCH',
  'SQLITE_CONSTRAINT_NOTNULL',
  'SQLITE_CONSTRAINT_CHECK',
  'SQLITE_CONSTRAINT_DATATYPE',
]);

/** The fault of one statement; null when the error is of the database itself or of this program. */
export function toStatementFault(error: unknown): StatementFault | null {
  if (error instanceof StatementFault) return error;
  if (error instanceof Misfit) return new StatementFault('misfit', 'MISFIT', error.message);
  const code = sqliteCodeOf(error);
  if (code === null) {
    // The driver throws these for values it cannot bind.
    const isBinding = error instanceof TypeError || error instanceof RangeError;
    return isBinding ? new StatementFault('misfit', 'MISFIT', messageOf(error)) : null;
  }
  const message = messageOf(error).slice(0, bounds.reasonCharsMax);
  if (uniqueCodes.has(code)) return new StatementFault('unique', code, message);
  if (misfitCodes.has(code)) return new StatementFault('misfit', code, message);
  return code === 'SQLITE_ERROR' || code.startsWith('SQLITE_CONSTRAINT') || code === 'SQLITE_RANGE'
    ? new StatementFault('other', code, message)
    : null;
}

/** Codes after which the file is closed and opened again. */
const brokenCodes = [
  'SQLITE_CORRUPT',
  'SQLITE_NOTADB',
  'SQLITE_IOERR',
  'SQLITE_CANTOPEN',
  'SQLITE_READONLY',
];

/** Whether the handle may no longer be usable. */
export function isBroken(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code !== null && brokenCodes.some((broken) => code.startsWith(broken));
}

/** The refusal of a whole request: nothing was changed. */
export function fileUnavailable(file: string, error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const code =
    sqliteCodeOf(error) ??
    (error instanceof Error && 'code' in error ? String(error.code) : 'error');
  return new TidemarkError('UNAVAILABLE', `database ${file}: ${messageOf(error)} (${code})`, {
    cause: error,
    retryAfterMs: bounds.databaseRetryMs,
  });
}
