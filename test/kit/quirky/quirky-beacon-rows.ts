/**
 * Rows as the incumbent's database has them, in the form of ours: what it keeps as text because it
 * knows no big integers, or added it later.
 */
import { type Backend, readRows } from '../rows/compare.ts';
import type { FoldRow } from '../rows/fold.ts';

const numbers = new Set(['BridgeSeq', 'RequireAffinityMatch', 'DurationMs', 'Live']);

/** The four tables, for comparisons. */
export function quirkyRows(path: string): Backend {
  const tables = [
    'UVQueueWorkItem',
    'UVQueueWorkItemEvent',
    'UVQueueWorkItemAttempt',
    'UVManifest',
  ];
  return new Map(tables.map((table) => [table, readRows(path, table).map(inOurForm)]));
}

function inOurForm(row: FoldRow): FoldRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      numbers.has(name) && typeof value === 'string' ? Number(value) : value,
    ]),
  );
}
