/**
 * Rows of one table and one kind of write, as a few statements: most are new and go in at once, and
 * only the others are looked at.
 */
import type { MutationResult } from '../../../contracts/mutation.ts';
import type { Scalar } from '../../../contracts/schema.ts';
import { bounds } from '../../bounds.ts';
import { differingColumns } from '../../engine/mutation-shape.ts';
import type { Column } from '../../engine/table.ts';
import type { Session, SetStatements } from './dialect.ts';
import { alreadyPresent, applied, type Outcomes } from './outcomes.ts';
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

  /** @param now what rows are stamped with */
  constructor(session: Session, sets: SetStatements, outcomes: Outcomes, now: string) {
    this.#session = session;
    this.#sets = sets;
    this.#outcomes = outcomes;
    this.#now = now;
  }

  /**
   * A row the incumbent wrote has no hub, and stands where ours should: the first hub that writes
   * it has it. Returns whether there was one.
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

  /** One lot. What the database refuses is thrown, with the outcomes of a part of it set. */
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

  /** Rows to remove that are not there, unless they are there without a hub. */
  async #missing(absent: readonly Item[]): Promise<void> {
    for (const item of absent) {
      if (await this.adopt(item)) await this.write([item]);
      else this.#outcomes.set(item.at, { Outcome: 'not-found' });
    }
  }

  /** New rows of a lot, with their items; what a column cannot hold is left out. */
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

  /** Most rows are new: they go in at once, and only the others are looked at. Returns those. */
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
      if (item.shape.op === 'insert') this.#outcomes.set(item.at, compared(item, old));
      else if (Number(old['BridgeSeq']) >= item.mutation.Seq)
        this.#outcomes.set(item.at, alreadyPresent);
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
