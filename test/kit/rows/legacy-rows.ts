/**
 * What a legacy beacon keeps in its file, in the form of the fold, so that it can be held against
 * what should be there.
 */
import Database from 'better-sqlite3';
import { type FoldCall, foldCalls, type FoldRow } from './fold.ts';

type Doc = Record<string, unknown>;

/** Documents of a kind in the order in which they first came. */
export function legacyDocs(
  path: string,
  kind: 'workItems' | 'events' | 'attempts' | 'runs',
): Doc[] {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    database.pragma('busy_timeout = 5000');
    return database
      .prepare(`select row from "${kind}" order by arrival`)
      .pluck()
      .all()
      .map((row) => JSON.parse(row as string) as Doc);
  } finally {
    database.close();
  }
}

/** The four tables: each document is what one write of it would have made. */
export function legacyRows(path: string, hub: string): ReadonlyMap<string, readonly FoldRow[]> {
  const calls: FoldCall[] = [
    ...legacyDocs(path, 'workItems').map((doc) => ({
      method: 'upsertWorkItem',
      args: [doc],
      eventGuid: '',
    })),
    ...legacyDocs(path, 'events').map((doc) => ({
      method: 'appendEvent',
      args: [doc],
      eventGuid: '',
    })),
    ...legacyDocs(path, 'attempts').map((doc) => ({
      method: 'insertAttempt',
      args: [said(doc)],
      eventGuid: '',
    })),
    ...legacyDocs(path, 'runs').map((doc) => ({
      method: 'upsertManifest',
      args: [doc],
      eventGuid: '',
    })),
  ];
  return new Map(
    Object.entries(foldCalls(calls, hub)).map(([table, rows]) => [table, [...rows.values()]]),
  );
}

/** Columns that follow others where nothing was said of them. */
function said(doc: Doc): Doc {
  return Object.fromEntries(
    Object.entries(doc).filter(
      ([name, value]) => value !== '' || !['StartedAt', 'EndedAt', 'Error'].includes(name),
    ),
  );
}
