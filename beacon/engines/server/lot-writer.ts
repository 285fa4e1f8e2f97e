/**
 * Writes rows of one table and one kind of mutation with a few statements: most rows are new and
 * are inserted at once; only the others are read first.
 */
import { outcomeBehind, writtenBy } from '../../../contracts/row-guard.ts';
import type { MutationResult } from '../../../contracts/mutation.ts';
import type { Scalar } from '../../../contracts/schema.ts';
import { differingColumns } from '../../engine/mutation-shape.ts';
import type { Column } from '../../engine/table.ts';
import type { Session, SetStatements } from './dialect.ts';
import { outcomeOfRepeat } from '../../engine/row-guard.ts';
import { applied, type Outcomes } from './outcomes.ts';
import {
  byShape,
  changedColumns,
  changedRow,
  idOf,
  type Item,
  NewRows,
  readColumns,
  type StoredRow,
} from './rows.ts';

type Pair = { item: Item; old: StoredRow };

export class LotWriter {
  readonly #session: Session;
  readonly #sets: SetStatements;
  readonly #outcomes: Outcomes;
  readonly #now: string;

  /** @param now time stamped on the rows */
  constructor(session: Session, sets: SetStatements, outcomes: Outcomes, now: string) {
    this.#session = session;
    this.#sets = sets;
    this.#outcomes = outcomes;
    this.#now = now;
  }

  /**
   * Adopts a row that the incumbent wrote without a hub and that is in our row's place: it goes to
   * the first hub that writes it. Returns whether there was one.
   */
  async adopt({ shape, key }: Item): Promise<boolean> {
    const at = shape.key.findIndex((column) => column.name === 'HubID');
    const hub = shape.key[at];
    if (!hub || key.length < 2 || key[at] === '') return false;
    const nobody = key.with(at, '');
    const { changes } = await this.#session.run(
      this.#sets.update(shape.table, shape.key, [hub], [[...nobody, key[at] ?? '']]),
    );
    return changes > 0;
  }

  /** Writes one lot. Throws what the database refuses; some outcomes may be set by then. */
  async write(lot: readonly Item[]): Promise<void> {
    const [first] = lot;
    if (!first) return;
    const { shape } = first;
    const left = shape.op === 'delete' ? lot : await this.#insertAbsent(lot);
    if (left.length === 0) return;
    const { rows } = await this.#session.run(
      this.#sets.read(
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

  /** Rows to delete that do not exist, unless they exist without a hub. */
  async #missing(absent: readonly Item[]): Promise<void> {
    for (const item of absent) {
      if (await this.adopt(item)) await this.write([item]);
      else this.#outcomes.set(item.at, { Outcome: 'not-found' });
    }
  }

  /**
   * New rows of a lot, with their items; without those with a value that its column cannot hold.
   */
  #newRows(lot: readonly Item[]): { items: Item[]; columns: Column[]; rows: Scalar[][] } {
    const made = new NewRows(lot);
    const items: Item[] = [];
    const rows: Scalar[][] = [];
    for (const item of lot) {
      this.#outcomes.attempt(item.at, () => {
        rows.push(made.row(item, this.#now));
        items.push(item);
      });
    }
    return { items, columns: made.columns, rows };
  }

  /** Inserts the rows that are new, which are most; returns the others. */
  async #insertAbsent(lot: readonly Item[]): Promise<Item[]> {
    const { items, columns, rows } = this.#newRows(lot);
    const [first] = items;
    if (!first) return [];
    const { shape } = first;
    const query = this.#sets.insertAbsent(shape.table, shape.key, columns, rows);
    if (!query) return items;
    const inserted = new Set(
      (await this.#session.run(query)).rows.map((row) =>
        idOf(shape.key.map((column) => row[column.name])),
      ),
    );
    return items.filter((item) => {
      const isIn = inserted.has(idOf(item.key));
      if (isIn) this.#outcomes.set(item.at, applied);
      return !isIn;
    });
  }

  async #insert(absent: readonly Item[]): Promise<void> {
    const { items, columns, rows } = this.#newRows(absent);
    const [first] = items;
    if (!first) return;
    await this.#session.run(this.#sets.insert(first.shape.table, columns, rows));
    for (const { at } of items) this.#outcomes.set(at, applied);
  }

  async #change(pairs: readonly Pair[]): Promise<void> {
    const items: Item[] = [];
    const rows: Scalar[][] = [];
    for (const { item, old } of pairs) {
      const known =
        item.shape.op === 'insert'
          ? compared(item, old)
          : outcomeBehind(item.mutation, writtenBy(old));
      if (known) this.#outcomes.set(item.at, known);
      else {
        this.#outcomes.attempt(item.at, () => {
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
      await this.#session.run(this.#sets.update(shape.table, by, changedColumns(shape), lot));
    for (const { at } of items) this.#outcomes.set(at, applied);
  }
}

/** The outcome of an insert whose row exists. */
function compared({ mutation, shape }: Item, stored: StoredRow): MutationResult {
  return outcomeOfRepeat(mutation, writtenBy(stored), () =>
    differingColumns(mutation, shape, stored),
  );
}
