/**
 * Finds the rows of a list among those the journal knows. There may be as many as retention keeps,
 * and no index knows their columns, so they are gone through in slices with a turn of the event
 * loop between.
 *
 * Ordering: slices follow the order of Seq. A row written meanwhile moves behind them and is met
 * again, so none is missed; of a row met twice the newer state counts.
 */
import { compareRows, type KnownRow } from '../../bridges/read-merge.ts';
import { limits } from '../../contracts/limits.ts';
import type { RowQuery } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { nextTurn } from '../../runtime/clock.ts';
import type { Connection } from '../state/connection.ts';

/** A row as the journal knows it, and the newest entry that wrote it. */
export type Projected = { key: string; seq: number; row: KnownRow };

export type ProjectedRow = { key: string; seq: number; doc: string };

/** Rows that are in the answer, and rows that are known too little of to tell. */
export type Found = { matching: Projected[]; undecidable: Projected[] };

export class RowSearch {
  readonly #db: Connection;
  readonly #sliceEnd;

  constructor(db: Connection) {
    this.#db = db;
    this.#sliceEnd = db
      .prepare<[string, number, number], number>(
        'select seq from projected where tbl = ? and seq > ? order by seq limit 1 offset ?',
      )
      .pluck();
  }

  /** Among rows written above `seq`: at most the query's limit of those that match, in any order. */
  async find(query: RowQuery, seq: number): Promise<Found> {
    const matching = new Map<string, Projected>();
    const undecidable = new Map<string, Projected>();
    const { matches, values, doubts } = this.#statementsFor(query);
    for (let after = seq; ;) {
      const end = this.#sliceEnd.get(query.Table, after, limits.listStepRows - 1);
      const slice = [query.Table, after, end ?? Number.MAX_SAFE_INTEGER] as const;
      for (const row of matches.all(...slice, ...values)) {
        undecidable.delete(row.key);
        matching.set(row.key, projectedOf(row));
      }
      for (const row of doubts.all(...slice)) {
        matching.delete(row.key);
        if (undecidable.size < limits.listBaseRowsMax) undecidable.set(row.key, projectedOf(row));
      }
      const isEnd = end === undefined;
      if (isEnd || matching.size > 2 * query.Limit) keepFirst(matching, query);
      if (isEnd)
        return { matching: [...matching.values()], undecidable: [...undecidable.values()] };
      after = end;
      await nextTurn();
    }
  }

  #statementsFor(query: RowQuery) {
    const { text, values } = matchingSql(query);
    return {
      matches: this.#db.prepare<Scalar[], ProjectedRow>(text),
      values,
      doubts: this.#db.prepare<[string, number, number], ProjectedRow>(undecidableSql(query)),
    };
  }
}

function keepFirst(found: Map<string, Projected>, { Order, Limit }: RowQuery): void {
  if (found.size <= Limit) return;
  const inOrder = compareRows(Order);
  const sorted = [...found.values()].toSorted((a, b) => inOrder(a.row, b.row));
  for (const { key } of sorted.slice(Limit)) found.delete(key);
}

export function projectedOf({ key, seq, doc }: ProjectedRow): Projected {
  return { key, seq, row: JSON.parse(doc) as KnownRow };
}

const sliceOfTable =
  "tbl = ? and seq > ? and seq <= ? and json_extract(doc, '$.Deleted') = 0" as const;

/**
 * A member of the document; column names were checked against the schema, so they hold no quotes.
 */
function member(column: string): string {
  return `json_extract(doc, '$.${column}')`;
}

function undecidableSql({ Terms, Order }: RowQuery): string {
  const unknown = [...Terms, ...Order].map(({ Column }) => `${member(Column)} is null`);
  return `select key, seq, doc from projected where ${sliceOfTable} and (${unknown.join(' or ')})`;
}

function matchingSql(query: RowQuery): { text: string; values: Scalar[] } {
  const values: Scalar[] = [];
  const stored = (value: Scalar) => (typeof value === 'boolean' ? Number(value) : value);
  const conditions = query.Terms.map(({ Column, Values }) => {
    values.push(...Values.map(stored));
    return `${member(Column)} in (${Values.map(() => '?').join()})`;
  });
  if (query.After) {
    const position = query.After;
    const parts = query.Order.map(({ Column, IsDescending }, index) => {
      const equal = query.Order.slice(0, index).map((term) => `${member(term.Column)} = ?`);
      values.push(...position.slice(0, index + 1).map(stored));
      return [...equal, `${member(Column)} ${IsDescending ? '<' : '>'} ?`].join(' and ');
    });
    conditions.push(`(${parts.join(' or ')})`);
  }
  const order = query.Order.map(
    ({ Column, IsDescending }) => `${member(Column)}${IsDescending ? ' desc' : ''}`,
  );
  const where = [sliceOfTable, ...conditions].join(' and ');
  return {
    text: `select key, seq, doc from projected where ${where} order by ${order.join()} limit ${query.Limit}`,
    values,
  };
}
