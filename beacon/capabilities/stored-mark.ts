/** DataBeaconBatch.Mark: the mark row of a hub and lane, as stored in the database. */
import type { MarkOutputs } from '../../contracts/capability.ts';
import type { DatabaseConnection } from '../databases/connections.ts';
import { markTable, StatementFault } from '../engine/engine.ts';
import { markOfRow } from '../engine/mark-rule.ts';
import { toTable } from '../engine/table.ts';
import type { Settings } from '../settings.ts';
import { equals } from '../sql/filter.ts';
import { selectRows } from '../sql/row-reads.ts';
import { hubAt } from './batch.ts';

/** The stored mark or null, and the identity of the database. */
export async function storedMark(
  settings: Settings,
  connection: DatabaseConnection,
): Promise<MarkOutputs> {
  const { hubId, lane } = hubAt(settings);
  const { engine } = connection;
  const [info] = await engine.introspect([markTable]);
  const { storeId } = await engine.check();
  if (!info) return { Mark: null, StoreID: storeId };
  const filter = equals('HubID', hubId);
  filter.where.any[0]?.push({ kind: 'term', column: 'Lane', operator: 'EQ', values: [lane] });
  const [result] = await engine.execute([
    selectRows(engine.kind, toTable(info), filter, { begin: 0, cap: 1 }),
  ]);
  if (result instanceof StatementFault) throw result;
  const row = result?.rows[0];
  return { Mark: row ? markOfRow(row) : null, StoreID: storeId };
}
