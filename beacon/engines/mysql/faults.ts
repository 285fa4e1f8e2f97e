/** Classifies the errors of MariaDB and MySQL and of the connection to them. */
import { messageOf } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { StatementFault } from '../../engine/engine.ts';
import type { Fault } from '../server/dialect.ts';
import { Misfit } from '../../engine/table.ts';

/** Number of an error sent by the server; null for other errors. */
function numberOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errno' in error) || !('sqlState' in error)) return null;
  return typeof error.errno === 'number' && typeof error.sqlState === 'string' ? error.errno : null;
}

/** Lock wait timeout, deadlock, a record that changed since it was read. */
const again: ReadonlySet<number> = new Set([1020, 1205, 1213]);
/**
 * Shutting down, killed, too many connections, no access, read-only, disk full, table full, out of
 * memory, time limit, engine errors.
 */
const away: ReadonlySet<number> = new Set([
  1021, 1030, 1034, 1035, 1036, 1037, 1040, 1041, 1044, 1045, 1046, 1049, 1053, 1077, 1105, 1114,
  1129, 1130, 1152, 1158, 1159, 1160, 1161, 1192, 1194, 1195, 1203, 1226, 1290, 1317, 1836, 1927,
  1969, 3024, 4031,
]);
const unique: ReadonlySet<number> = new Set([1022, 1062, 1169, 1586, 1859]);
/**
 * Null, too long, out of range, wrong value, date or character, check, foreign key, no default, or
 * a value over max_allowed_packet.
 */
const misfit: ReadonlySet<number> = new Set([
  1048, 1118, 1153, 1216, 1264, 1265, 1267, 1292, 1301, 1364, 1366, 1367, 1390, 1406, 1411, 1441,
  1451, 1452, 1690, 3819, 3854, 4025, 4078,
]);

export function mysqlFaultOf(error: unknown): Fault {
  if (error instanceof StatementFault) return error;
  if (error instanceof Misfit) return new StatementFault('misfit', 'MISFIT', error.message);
  const number = numberOf(error);
  if (number === null || away.has(number)) return 'away';
  if (again.has(number)) return 'again';
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(number);
  const hint = number === 1153 ? '; raise max_allowed_packet on the server' : '';
  const message = `${messageOf(error).slice(0, bounds.reasonCharsMax - hint.length)}${hint}`;
  return new StatementFault(
    unique.has(number) ? 'unique' : misfit.has(number) ? 'misfit' : 'other',
    code,
    message,
  );
}
