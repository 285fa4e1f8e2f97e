/** Classifies the errors of SQL Server and of the connection to it. */
import { messageOf } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { StatementFault } from '../../engine/engine.ts';
import type { Fault } from '../server/dialect.ts';
import { Misfit } from '../../engine/table.ts';

/** Number of an error sent by the server; null for other errors. */
function numberOf(error: unknown): number | null {
  return error instanceof Error && 'number' in error && typeof error.number === 'number'
    ? error.number
    : null;
}

/** Deadlock victim, lock timeout, update conflict. */
const again: ReadonlySet<number> = new Set([1205, 1222, 3960]);
const unique: ReadonlySet<number> = new Set([2601, 2627]);
/** Null, truncation, overflow, conversion, check or foreign key, an index key that is too long. */
const misfit: ReadonlySet<number> = new Set([
  220, 241, 242, 245, 248, 515, 547, 1946, 2628, 8115, 8152, 8169,
]);
/**
 * Log or disk full, database missing or starting, no permission, read-only, shutting down, out of
 * memory.
 */
const away: ReadonlySet<number> = new Set([
  229, 596, 701, 802, 904, 911, 922, 945, 1101, 1105, 3906, 4060, 6005, 9002, 17_142, 18_456,
  40_197, 40_501, 40_613, 49_918,
]);

export function mssqlFaultOf(error: unknown): Fault {
  if (error instanceof StatementFault) return error;
  if (error instanceof Misfit) return new StatementFault('misfit', 'MISFIT', error.message);
  const number = numberOf(error);
  if (number === null || away.has(number)) return 'away';
  if (again.has(number)) return 'again';
  return new StatementFault(
    unique.has(number) ? 'unique' : misfit.has(number) ? 'misfit' : 'other',
    String(number),
    messageOf(error).slice(0, bounds.reasonCharsMax),
  );
}
