/**
 * Row mutations as a few statements over many rows each, in the caller's transaction; one by one
 * only where something is refused.
 */
import type { ApplyOutputs, StoredMark } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { MutationResult } from '../../../contracts/mutation.ts';
import type { Scalar } from '../../../contracts/schema.ts';
import { bounds } from '../../bounds.ts';
import { type ApplyBatch, markTable, StatementFault } from '../../engine/engine.ts';
import { insistOnMark, markAfter, skipThrough, takesEffect } from '../../engine/mark-rule.ts';
import { differingColumns } from '../../engine/mutation-shape.ts';
import { type Column, Misfit, type Table } from '../../engine/table.ts';
import type { Fault, Query, QueryResult, Savepoint, Session, SetStatements } from './dialect.ts';
import {
  byShape,
  changedColumns,
  changedRow,
  idOf,
  type Item,
  itemOf,
  lotsOf,
  NewRows,
  readColumns,
  type StoredRow,
} from './rows.ts';
import type { Shapes } from './shapes.ts';

/**
 * A statement over many rows was refused: the transaction is to be done again with savepoints, to
 * learn which row it was.
 */
export class RefusedLot extends Error {}

const applied: MutationResult = { Outcome: 'applied' };
const alreadyPresent: MutationResult = { Outcome: 'already-present' };

function rejected(reason: string): MutationResult {
  return { Outcome: 'rejected', Reason: reason.slice(0, bounds.reasonCharsMax) };
}

export type ApplierOptions = {
  session: Session;
  sets: SetStatements;
  savepoint: Savepoint;
  shapes: Shapes;
  faultOf: (error: unknown) => Fault;
  /** With savepoints, so that what is refused can be told. */
  isCareful: boolean;
};

type Pair = { item: Item; old: StoredRow };

export class SetApplier {
  readonly #parts: ApplierOptions;
  readonly #results: MutationResult[] = [];
  #now = '';

  constructor(parts: ApplierOptions) {
    this.#parts = parts;
  }

  /**
   * A whole batch with its mark row; the caller takes it back when `IsCommitted` is false.
   * @throws RefusedLot unless it is careful
   */
  async apply(batch: ApplyBatch): Promise<ApplyOutputs> {
    this.#now = batch.now;
    const marks = this.#markTable();
    const stored = await this.#readMark(marks, batch);
    insistOnMark(batch, stored);
    const skipped = skipThrough(batch, stored);
    const items: Item[] = [];
    batch.mutations.forEach((mutation, at) => {
      const shape =
        mutation.Seq <= skipped ? alreadyPresent : this.#parts.shapes.of(mutation, batch.defaults);
      if ('Outcome' in shape) this.#results[at] = shape;
      else this.#trying(at, () => void items.push(itemOf(at, mutation, shape)));
    });
    for (const lot of lotsOf(items)) for (const part of this.#cut(lot)) await this.#lot(part);
    const results = batch.mutations.map(
      (_, at) => this.#results[at] ?? rejected('the mutation was forgotten'),
    );
    if (!takesEffect(batch, results)) return { Results: results, IsCommitted: false, Mark: stored };
    const mark = markAfter(batch, stored);
    if (mark !== null && mark !== stored)
      await this.#writeMark(marks, batch, mark, stored !== null);
    return { Results: results, IsCommitted: true, Mark: mark };
  }

  #markTable(): Table {
    const table = this.#parts.shapes.table(markTable);
    if (table) return table;
    throw new TidemarkError(
      'UNAVAILABLE',
      `the database has no table ${markTable}; run EnsureSchema first`,
      { retryAfterMs: bounds.databaseRetryMs },
    );
  }

  /** Locked until the end, so that a late repeat of the batch waits for this one. */
  async #readMark(table: Table, { hubId, lane }: ApplyBatch): Promise<StoredMark | null> {
    const {
      rows: [row],
    } = await this.#run(
      this.#parts.sets.read(
        table,
        columnsOf(table, 'HubID', 'Lane'),
        columnsOf(table, 'Epoch', 'Seq', 'UpdatedAt'),
        [[hubId, lane]],
      ),
    );
    return row
      ? {
          Epoch: String(row['Epoch']),
          Seq: Number(row['Seq']),
          UpdatedAt: String(row['UpdatedAt']),
        }
      : null;
  }

  async #writeMark(
    table: Table,
    { hubId, lane }: ApplyBatch,
    mark: StoredMark,
    isThere: boolean,
  ): Promise<void> {
    const key = columnsOf(table, 'HubID', 'Lane');
    const columns = columnsOf(table, 'Epoch', 'Seq', 'UpdatedAt');
    const row = [[hubId, lane, mark.Epoch, mark.Seq, mark.UpdatedAt]];
    const { sets } = this.#parts;
    await this.#run(
      isThere
        ? sets.update(table, key, columns, row)
        : sets.insert(table, [...key, ...columns], row),
    );
  }

  #run(query: Query): Promise<QueryResult> {
    return this.#parts.session.run(query);
  }

  /** What a column cannot hold is the outcome of that mutation. */
  #trying(at: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      this.#results[at] = rejected(error.message);
    }
  }

  /** Lots as large as one statement takes, by rows and by the text in them. */
  *#cut(lot: readonly Item[]): Generator<Item[]> {
    const rowsMax = this.#parts.sets.rowsMax(new NewRows(lot).columns.length);
    let part: Item[] = [];
    let chars = 0;
    for (const item of lot) {
      const size = charsOf(item);
      if (part.length > 0 && (part.length >= rowsMax || chars + size > bounds.statementChars)) {
        yield part;
        [part, chars] = [[], 0];
      }
      part.push(item);
      chars += size;
    }
    if (part.length > 0) yield part;
  }

  /** One lot; when it is refused, its halves, down to the row that was. */
  async #lot(lot: Item[]): Promise<void> {
    const { savepoint, isCareful, faultOf } = this.#parts;
    if (isCareful) await this.#run({ sql: savepoint.set, parameters: [] });
    try {
      await this.#together(lot);
    } catch (error) {
      const fault = faultOf(error);
      if (!(fault instanceof StatementFault)) throw error;
      if (!isCareful) throw new RefusedLot(fault.message, { cause: error });
      await this.#run({ sql: savepoint.rollback, parameters: [] });
      const [first] = lot;
      if (first && lot.length === 1) return this.#refused(first, fault);
      const middle = Math.ceil(lot.length / 2);
      await this.#lot(lot.slice(0, middle));
      await this.#lot(lot.slice(middle));
    }
  }

  /**
   * A row the incumbent wrote has no hub, and stands where ours should: the first hub that writes
   * it has it.
   */
  async #refused(item: Item, fault: StatementFault): Promise<void> {
    if (fault.kind === 'unique' && (await this.#adopt(item))) return this.#lot([item]);
    this.#results[item.at] = rejected(fault.message);
  }

  async #adopt({ shape, key }: Item): Promise<boolean> {
    const at = shape.key.findIndex((column) => column.name === 'HubID');
    const hub = shape.key[at];
    if (!hub || key.length < 2 || key[at] === '') return false;
    const nobody = key.with(at, '');
    const { changes } = await this.#run(
      this.#parts.sets.update(shape.table, shape.key, [hub], [[...nobody, key[at] ?? '']]),
    );
    return changes > 0;
  }

  async #together(lot: readonly Item[]): Promise<void> {
    const [first] = lot;
    if (!first) return;
    const { shape } = first;
    const left = shape.op === 'delete' ? lot : await this.#insertAbsent(lot);
    if (left.length === 0) return;
    const { rows } = await this.#run(
      this.#parts.sets.read(
        shape.table,
        shape.key,
        readColumns(left),
        left.map((item) => item.key),
      ),
    );
    const stored = new Map(
      rows.map((row) => [idOf(shape.key.map((column) => row[column.name])), row]),
    );
    const absent: Item[] = [];
    const there: Pair[] = [];
    for (const item of left) {
      const old = stored.get(idOf(item.key));
      if (old) there.push({ item, old });
      else absent.push(item);
    }
    if (shape.op === 'delete') await this.#missing(absent);
    else await this.#insert(absent);
    for (const pairs of byShape(there)) await this.#change(pairs);
  }

  /** Rows to remove that are not there, unless they are there without a hub. */
  async #missing(absent: readonly Item[]): Promise<void> {
    for (const item of absent) {
      if (await this.#adopt(item)) await this.#together([item]);
      else this.#results[item.at] = { Outcome: 'not-found' };
    }
  }

  /** New rows of a lot, with their items; what a column cannot hold is left out. */
  #newRows(lot: readonly Item[]): { items: Item[]; columns: Column[]; rows: Scalar[][] } {
    const made = new NewRows(lot);
    const items: Item[] = [];
    const rows: Scalar[][] = [];
    for (const item of lot) {
      this.#trying(item.at, () => {
        rows.push(made.row(item, this.#now));
        items.push(item);
      });
    }
    return { items, columns: made.columns, rows };
  }

  /** Most rows are new: they go in at once, and only the others are looked at. Returns those. */
  async #insertAbsent(lot: readonly Item[]): Promise<Item[]> {
    const { items, columns, rows } = this.#newRows(lot);
    const [first] = items;
    if (!first) return [];
    const { shape } = first;
    const query = this.#parts.sets.insertAbsent(shape.table, shape.key, columns, rows);
    if (!query) return items;
    const inserted = new Set(
      (await this.#run(query)).rows.map((row) => idOf(shape.key.map((column) => row[column.name]))),
    );
    return items.filter((item) => {
      const isIn = inserted.has(idOf(item.key));
      if (isIn) this.#results[item.at] = applied;
      return !isIn;
    });
  }

  async #insert(absent: readonly Item[]): Promise<void> {
    const { items, columns, rows } = this.#newRows(absent);
    const [first] = items;
    if (!first) return;
    await this.#run(this.#parts.sets.insert(first.shape.table, columns, rows));
    for (const { at } of items) this.#results[at] = applied;
  }

  async #change(pairs: readonly Pair[]): Promise<void> {
    const items: Item[] = [];
    const rows: Scalar[][] = [];
    for (const { item, old } of pairs) {
      if (item.shape.op === 'insert') this.#results[item.at] = compared(item, old);
      else if (Number(old['BridgeSeq']) >= item.mutation.Seq)
        this.#results[item.at] = alreadyPresent;
      else {
        this.#trying(item.at, () => {
          const { identity } = item.shape.table;
          rows.push([
            ...(identity ? [old[identity.name] as Scalar] : item.key),
            ...changedRow(item, old, this.#now),
          ]);
          items.push(item);
        });
      }
    }
    const [first] = items;
    if (!first) return;
    const { shape } = first;
    const by = shape.table.identity ? [shape.table.identity] : shape.key;
    const lots = shape.table.identity ? [rows] : rows.map((row) => [row]);
    for (const lot of lots)
      await this.#run(this.#parts.sets.update(shape.table, by, changedColumns(shape), lot));
    for (const { at } of items) this.#results[at] = applied;
  }
}

function columnsOf(table: Table, ...names: string[]): Column[] {
  return names.map((name) => {
    const column = table.columns.get(name);
    if (!column)
      throw new TidemarkError(
        'UNAVAILABLE',
        `table ${table.name} has no column ${name}; run EnsureSchema again`,
        { retryAfterMs: bounds.databaseRetryMs },
      );
    return column;
  });
}

/** What became of an insert whose row is there. */
function compared({ mutation, shape }: Item, stored: StoredRow): MutationResult {
  if (Number(stored['BridgeSeq']) === mutation.Seq) return alreadyPresent;
  const names = differingColumns(mutation, shape, stored);
  if (names.length === 0) return alreadyPresent;
  return {
    Outcome: 'conflict',
    Reason:
      `the row of ${mutation.Table} already there says otherwise in ${names.join(', ')}`.slice(
        0,
        bounds.reasonCharsMax,
      ),
  };
}

function charsOf({ mutation }: Item): number {
  let chars = 0;
  for (const values of [mutation.Set, mutation.Merge ?? {}])
    for (const value of Object.values(values)) {
      chars +=
        typeof value === 'string'
          ? value.length
          : typeof value === 'object'
            ? JSON.stringify(value).length
            : 8;
    }
  return chars;
}
