/**
 * Compares a database with the fold, row by row and column by column, and tells the first
 * differences.
 */
import Database from 'better-sqlite3';
import type { FoldRow, FoldTableName, FoldTables, FoldValue } from './fold.ts';

export type Difference = {
  table: string;
  key: string;
  column?: string;
  expected?: FoldValue;
  found?: FoldValue;
  what: 'missing' | 'extra' | 'different';
};
export type Comparison = { rows: number; differences: number; first: Difference[] };

/** Told at most; the rest is counted. */
const shownMax = 20;
const keys: Record<FoldTableName, readonly string[]> = {
  UVQueueWorkItem: ['WorkItemHash'],
  UVQueueWorkItemEvent: ['EventGUID'],
  UVQueueWorkItemAttempt: ['WorkItemHash', 'AttemptNumber'],
  UVManifest: ['Hash'],
};

/**
 * Where rows are: a SQLite file that others may be writing, or the tables of a server as they were
 * when somebody looked.
 */
export type Backend = string | ReadonlyMap<string, readonly FoldRow[]>;

/** Rows of a table. */
export function readRows(backend: Backend, table: string): FoldRow[] {
  return typeof backend === 'string' ? rowsInFile(backend, table) : [...(backend.get(table) ?? [])];
}

function rowsInFile(path: string, table: string): FoldRow[] {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    database.pragma('busy_timeout = 5000');
    return database.prepare(`SELECT * FROM "${table}"`).all() as FoldRow[];
  } finally {
    database.close();
  }
}

/** Compares the rows of one hub in a database with what the fold expects. */
export function compareWithFold(backend: Backend, expected: FoldTables, hub: string): Comparison {
  const all: Difference[] = [];
  let rows = 0;
  for (const [table, wanted] of Object.entries(expected) as [
    FoldTableName,
    Map<string, FoldRow>,
  ][]) {
    const missing = new Map(wanted);
    for (const row of readRows(backend, table)) {
      if (row['HubID'] !== hub) continue;
      rows += 1;
      const key = keys[table].map((column) => row[column]).join(' ');
      const want = missing.get(key);
      if (!want) all.push({ table, key, what: 'extra' });
      else all.push(...differencesOf(table, key, want, row));
      missing.delete(key);
    }
    for (const key of missing.keys()) all.push({ table, key, what: 'missing' });
  }
  return { rows, differences: all.length, first: all.slice(0, shownMax) };
}

function differencesOf(table: string, key: string, want: FoldRow, row: FoldRow): Difference[] {
  return Object.entries(want).flatMap(([column, expected]) => {
    const found = row[column];
    const same = column === 'Extra' ? sameJson(expected, found) : expected === found;
    return same
      ? []
      : [
          {
            table,
            key,
            column,
            expected,
            found: found === undefined ? '(no such column)' : found,
            what: 'different' as const,
          },
        ];
  });
}

/** Members of Extra have no order. */
function sameJson(one: FoldValue | undefined, other: FoldValue | undefined): boolean {
  if (typeof one !== 'string' || typeof other !== 'string') return one === other;
  return sortedText(JSON.parse(one)) === sortedText(JSON.parse(other));
}

function sortedText(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${sortedText(member)}`).join(',')}}`;
}
