/** Errors of PostgreSQL and of the way to it, sorted by what they say. */
import { messageOf } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { StatementFault } from '../../engine/engine.ts';
import type { Fault } from '../server/dialect.ts';
import { Misfit } from '../../engine/table.ts';

/** SQLSTATE of an error the server sent; null when it comes from elsewhere. */
function stateOf(error: unknown): string | null {
  if (
    !(error instanceof Error) ||
    !('code' in error) ||
    typeof error.code !== 'string' ||
    !('severity' in error)
  )
    return null;
  return error.code;
}

/** Deadlock, serialisation failure, and a lock that could not be had in time. */
const again: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);
/**
 * Read-only transaction (a standby), cancelled by the time limit, and a cached plan for another
 * schema.
 */
const away: ReadonlySet<string> = new Set(['25006', '57014', '0A000']);
/**
 * Classes that say nothing about the statement: connection, resources, operator's intervention,
 * system, internal, invalid authorisation, unknown database.
 */
const awayClasses = /^(08|28|3D|53|57|58|XX)/;
/**
 * Classes that say the value is at fault: data, integrity, program limits (an index entry that is
 * too large).
 */
const misfitClasses = /^(22|23|54)/;

export function postgresFaultOf(error: unknown): Fault {
  if (error instanceof StatementFault) return error;
  if (error instanceof Misfit) return new StatementFault('misfit', 'MISFIT', error.message);
  const state = stateOf(error);
  if (state === null) return 'away';
  if (again.has(state)) return 'again';
  const message = messageOf(error).slice(0, bounds.reasonCharsMax);
  if (state === '23505') return new StatementFault('unique', state, message);
  if (misfitClasses.test(state)) return new StatementFault('misfit', state, message);
  if (away.has(state) || awayClasses.test(state)) return 'away';
  return new StatementFault('other', state, message);
}
