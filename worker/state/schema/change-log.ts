/**
 * Reads the change log: which rows of the store changed, in the order of commits. Triggers write it
 * in the transaction of the change; the change publisher reports it to listeners.
 */
import { limits } from '../../../contracts/limits.ts';
import type { Connection } from '../connection.ts';

/** `ids` holds at most `limits.changeIdsMax` rows; `Count` counts all rows that changed. */
export type Change = {
  table: string;
  op: 'create' | 'update' | 'delete';
  ids: (string | number)[];
  Count: number;
};

/** Changes with `From` < cursor <= `cursor`. */
export type Changes = { cursor: number; From: number; changes: Change[]; Resync?: true };

type Row = { cursor: number; tbl: string; op: Change['op'] | 'resync'; ids: string; count: number };

export class ChangeLog {
  readonly #db: Connection;
  readonly #next;
  readonly #span;
  readonly #forget;

  constructor(db: Connection) {
    this.#db = db;
    this.#next = db.prepare<[number], Row>(
      'select cursor, tbl, op, ids, count from change_log order by cursor limit ?',
    );
    this.#span = db.prepare<[], { first: number | null; last: number | null }>(
      'select (select min(cursor) from change_log) as first, (select max(cursor) from change_log) as last',
    );
    this.#forget = db.prepare('delete from change_log where cursor <= ?');
  }

  /** The oldest changes not yet reported, joined by table and kind; null when there are none. */
  next(): Changes | null {
    const rows = this.#next.all(limits.changeEventRows);
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last) return null;
    const change = {
      cursor: last.cursor,
      From: first.cursor - 1,
      changes: together(rows.filter((row) => row.op !== 'resync')),
    };
    return first.op === 'resync' ? { ...change, Resync: true } : change;
  }

  /** Deletes changes that were reported. */
  forgetThrough(cursor: number): void {
    this.#forget.run(cursor);
  }

  /**
   * Keeps the log within its bound: replaces all rows by one that asks listeners to read everything
   * again.
   */
  bound(): void {
    const { first, last } = this.#span.get() ?? { first: null, last: null };
    if (first === null || last === null || last - first < limits.changeLogRowsMax) return;
    this.#db
      .transaction(() => {
        this.#forget.run(last);
        this.#db
          .prepare("insert into change_log (tbl, op, ids, count) values ('', 'resync', '[]', ?)")
          .run(last - first + 1);
      })
      .immediate();
  }
}

/**
 * Joins consecutive changes of one table that are of the same kind, so that a burst becomes one
 * change. Keeps the order within a table.
 */
function together(rows: readonly Row[]): Change[] {
  const changes: Change[] = [];
  for (const row of rows) {
    const ids = JSON.parse(row.ids) as (string | number)[];
    const same = changes.findLast((change) => change.table === row.tbl);
    if (same?.op === row.op) {
      same.Count += row.count;
      for (const id of ids)
        if (same.ids.length < limits.changeIdsMax && !same.ids.includes(id)) same.ids.push(id);
    } else {
      changes.push({ table: row.tbl, op: row.op as Change['op'], ids, Count: row.count });
    }
  }
  return changes;
}
