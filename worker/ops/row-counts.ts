/** Counts the rows a transaction changes in each table, with triggers that exist only inside it. */
import type { Connection } from '../state/connection.ts';
import type { RowChanges } from './operation.ts';

const kinds = { Inserted: 'insert', Updated: 'update', Deleted: 'delete' } as const;

/**
 * Starts counting. Call it inside a transaction that will be rolled back; the returned function
 * gives the counts so far.
 */
export function countChangedRows(db: Connection): () => RowChanges {
  const tables = db
    .prepare(
      "select name from main.sqlite_schema where type = 'table' and name not like " +
        "'sqlite\\_%' escape '\\' and name not like 'operation%'",
    )
    .pluck()
    .all() as string[];
  db.exec(
    'create temp table operation_count (tbl text not null, kind text not null, rows ' +
      'integer not null, primary key (tbl, kind)) strict, without rowid',
  );
  const add = db.prepare('insert into temp.operation_count values (?, ?, 0)');
  for (const table of tables) {
    for (const [kind, verb] of Object.entries(kinds)) {
      add.run(table, kind);
      db.exec(`create temp trigger "count ${table} ${verb}" after ${verb} on main."${table}"
        begin update operation_count set rows = rows + 1 where tbl = '${table}' and kind = '${kind}'; end`);
    }
  }
  const read = db.prepare(
    'select tbl, kind, rows from temp.operation_count where rows > 0 order by tbl, kind',
  );
  return () => {
    const changes: RowChanges = {};
    for (const { tbl, kind, rows } of read.all() as {
      tbl: string;
      kind: keyof typeof kinds;
      rows: number;
    }[]) {
      (changes[tbl] ??= { Inserted: 0, Updated: 0, Deleted: 0 })[kind] = rows;
    }
    return changes;
  };
}
