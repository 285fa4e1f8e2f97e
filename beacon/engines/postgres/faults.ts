/** Classifies the errors of PostgreSQL and of the connection to it. */
import { messageOf } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { StatementFault } from '../../engine/engine.ts';
import type { Fault } from '../server/dialect.ts';
import { Misfit } from '../../engine/table.ts';

/** SQLSTATE of an error sent by the server; null for other errors. */
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

/** Deadlock, serialisation failure, and a lock that was not obtained in time. */
const again: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);
/**
 * Read-only transaction (a standby), cancelled by the time limit, and a cached plan of an older
 * schema.
 */
const away: ReadonlySet<string> = new Set(['25006', '57014', '0A000']);
/**
 * Error classes that do not concern the statement: connection, resources, operator intervention,
 * system, internal, invalid authorisation, unknown database.
 */
const awayClasses = /^(08|28|3D|53|57|58|XX)/;
/**
 * Error classes that concern the value: data, integrity, program limits (an index entry that is too
 * large).
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
