/**
 * At the end of a simulated run: the rows of a database against the independent fold of the writes
 * it has, in their order.
 */
import type { Scalar } from '../../../contracts/schema.ts';
import { type FoldRow, type FoldTableName, type FoldValue, foldCalls } from '../rows/fold.ts';
import { hubId } from '../worker/fixture.ts';
import type { SimDatabase } from './database.ts';
import type { Ledger } from './ledger.ts';

const own = new Set(['HubID', 'EmittedAt', 'Seq']);

function isSame(stored: Scalar | undefined, folded: FoldValue): boolean {
  if (stored === undefined) return true;
  if (typeof stored === 'string' && typeof folded === 'string' && folded.startsWith('{'))
    return canonical(stored) === canonical(folded);
  return Number(stored) === Number(folded) || String(stored ?? '') === String(folded ?? '');
}

function canonical(text: string): string {
  const value = JSON.parse(text || '{}') as Record<string, unknown>;
  return JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** What differs, in words. */
export function foldDifferences(database: SimDatabase, ledger: Ledger): string[] {
  const has = database.has();
  const calls = ledger.writes
    .filter((write) =>
      write.isRemoval ? write.seqs.some((seq) => has.deletes.has(seq)) : has.names.has(write.name),
    )
    .map((write) => write.call);
  const differences: string[] = [];
  let rows = 0;
  for (const [table, folded] of Object.entries(foldCalls(calls, hubId)) as [
    FoldTableName,
    Map<string, FoldRow>,
  ][]) {
    for (const [key, row] of folded) {
      rows += 1;
      const found =
        table === 'UVQueueWorkItemEvent'
          ? database.row(table, key)
          : database.row(table, hubId, ...key.split(' '));
      if (!found) differences.push(`${table} ${key} is missing`);
      else
        for (const name of differing(found.columns, row))
          differences.push(
            `${table} ${key} ${name}: ${String(found.columns[name])} instead of ${String(row[name])}`,
          );
    }
  }
  if (rows !== database.rows.length)
    differences.push(`${database.rows.length} rows instead of ${rows}`);
  return differences;
}

/** Columns nobody wrote are not kept by the model, and are at their default in the fold. */
function differing(columns: Record<string, Scalar>, row: FoldRow): string[] {
  const names = [
    ...Object.keys(row).filter(
      (name) => !own.has(name) && !isSame(columns[name], row[name] ?? null),
    ),
    ...missing(columns, row),
  ];
  return [...new Set(names)];
}

function missing(columns: Record<string, Scalar>, row: FoldRow): string[] {
  return ['Status', 'EventType', 'BeaconID', 'Outcome', 'Extra', 'ManifestJSON'].filter(
    (name) => columns[name] === undefined && /\d/.test(String(row[name] ?? '')),
  );
}
