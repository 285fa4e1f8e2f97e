/** Runs one reading statement for DataBeaconAccess; its refusal counts as the caller's mistake. */
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import type { DatabaseConnection } from '../databases/connections.ts';
import { type Statement, StatementFault } from '../engine/engine.ts';

export type Rows = Record<string, unknown>[];
export type QueryOutputs = { Rows: Rows; RowCount: number };

/**
 * @throws TidemarkError INVALID_MESSAGE with the database's own message when it refuses the
 * statement
 */
export async function readRows(
  connection: DatabaseConnection,
  statement: Statement,
): Promise<Rows> {
  const [result] = await connection.engine.execute([statement]);
  if (result instanceof StatementFault)
    throw new TidemarkError('INVALID_MESSAGE', result.message.slice(0, bounds.reasonCharsMax), {
      cause: result,
    });
  return result?.rows ?? [];
}
