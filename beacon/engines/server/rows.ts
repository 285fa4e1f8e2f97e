/**
 * A mutation as a row: the columns it writes and their values, for a new row and for an existing
 * one.
 */
import { termOf } from '../../../contracts/row-guard.ts';
import type { RowMutation } from '../../../contracts/mutation.ts';
import type { Scalar } from '../../../contracts/schema.ts';
import { mergeText, type Shape } from '../../engine/mutation-shape.ts';
import { type Column, toColumnValue } from '../../engine/table.ts';

export type StoredRow = Readonly<Record<string, unknown>>;

/**
 * A mutation in flight, with its index in the batch. `key` holds the values of the shape's key
 * columns.
 */
export type Item = { at: number; mutation: RowMutation; shape: Shape; key: Scalar[] };

/** @throws Misfit when the key has a value that its column cannot hold */
export function itemOf(at: number, mutation: RowMutation, shape: Shape): Item {
  return {
    at,
    mutation,
    shape,
    key: shape.key.map((column) => toColumnValue(mutation.Key[column.name], column)),
  };
}

/** Identifies a row by these values. */
export function idOf(values: readonly unknown[]): string {
  return JSON.stringify(values);
}

function own(shape: Shape, name: string): Column {
  return shape.table.columns.get(name) as Column;
}

/** The columns that guard a row. */
function guardColumns(shape: Shape): Column[] {
  return shape.term ? [own(shape, 'BridgeSeq'), shape.term] : [own(shape, 'BridgeSeq')];
}

type Source = (item: Item, now: string) => Scalar;

/**
 * New rows of one table for a single statement: with all columns that any of them gives; the others
 * get the value they would have without it.
 */
export class NewRows {
  readonly columns: Column[];
  readonly #sources = new Map<Shape, Source[]>();

  constructor(items: readonly Item[]) {
    const shapes = new Set(items.map((item) => item.shape));
    const names = new Set(
      [...shapes].flatMap((shape) => givenColumns(shape).map((column) => column.name)),
    );
    this.columns = [...(items[0]?.shape.table.columns.values() ?? [])].filter((column) =>
      names.has(column.name),
    );
  }

  /** @throws Misfit when a column cannot hold its value */
  row(item: Item, now: string): Scalar[] {
    let sources = this.#sources.get(item.shape);
    if (!sources)
      this.#sources.set(
        item.shape,
        (sources = this.columns.map((column) => sourceOf(item.shape, column))),
      );
    return sources.map((source) => source(item, now));
  }
}

function givenColumns(shape: Shape): Column[] {
  const dates = [shape.createDate, shape.updateDate].filter((column) => column !== null);
  return [
    ...shape.key,
    ...shape.merge,
    ...shape.set,
    ...shape.fill,
    ...shape.rest,
    ...guardColumns(shape),
    own(shape, 'Deleted'),
    ...dates,
  ];
}

function sourceOf(shape: Shape, column: Column): Source {
  const { name } = column;
  const isIn = (columns: readonly Column[]) => columns.some((one) => one.name === name);
  const at = shape.key.findIndex((one) => one.name === name);
  if (at >= 0) return ({ key }) => key[at] ?? null;
  if (isIn(shape.merge))
    return ({ mutation }) =>
      toColumnValue(mergeText(mutation.Set[name], mutation.Merge?.[name] ?? {}), column);
  if (isIn(shape.set)) return ({ mutation }) => toColumnValue(mutation.Set[name], column);
  if (isIn(shape.fill)) return ({ mutation }) => toColumnValue(mutation.Fill?.[name], column);
  if (name === 'BridgeSeq') return ({ mutation }) => mutation.Seq;
  if (name === 'BridgeTerm') return ({ mutation }) => termOf(mutation);
  if (name === 'Deleted') return () => 0;
  return name === shape.createDate?.name || name === shape.updateDate?.name
    ? (_item, now) => now
    : () => column.fallback;
}

/** The columns a mutation changes in an existing row, in the order of `changedRow`. */
export function changedColumns(shape: Shape): Column[] {
  const given = shape.op === 'delete' ? [] : [...shape.merge, ...shape.set, ...shape.fill];
  return [
    ...given,
    ...guardColumns(shape),
    own(shape, 'Deleted'),
    ...(shape.updateDate ? [shape.updateDate] : []),
  ];
}

/** @throws Misfit when a column cannot hold its value */
export function changedRow({ mutation, shape }: Item, old: StoredRow, now: string): Scalar[] {
  const tail: Scalar[] = [
    mutation.Seq,
    ...(shape.term ? [termOf(mutation)] : []),
    shape.op === 'delete' ? 1 : 0,
    ...(shape.updateDate ? [now] : []),
  ];
  if (shape.op === 'delete') return tail;
  return [
    ...shape.merge.map((column) =>
      toColumnValue(
        mergeText(
          mutation.Set[column.name] ?? old[column.name],
          mutation.Merge?.[column.name] ?? {},
        ),
        column,
      ),
    ),
    ...shape.set.map((column) => toColumnValue(mutation.Set[column.name], column)),
    ...shape.fill.map((column) =>
      isEmpty(old[column.name])
        ? toColumnValue(mutation.Fill?.[column.name], column)
        : (old[column.name] as Scalar),
    ),
    ...tail,
  ];
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '' || value === 0;
}

/** Columns to read before rows are changed or compared. */
export function readColumns(items: readonly Item[]): Column[] {
  const columns = new Map<string, Column>();
  for (const shape of new Set(items.map((item) => item.shape))) {
    const { identity } = shape.table;
    const compared = shape.op === 'insert' ? shape.set : [];
    for (const column of [
      ...(identity ? [identity] : []),
      ...shape.key,
      ...shape.merge,
      ...shape.fill,
      ...compared,
      ...guardColumns(shape),
    ])
      columns.set(column.name, column);
  }
  return [...columns.values()];
}

/** Groups items by shape. */
export function byShape<T extends { item: Item }>(all: readonly T[]): T[][] {
  const groups = new Map<Shape, T[]>();
  for (const one of all) {
    const group = groups.get(one.item.shape);
    if (group) group.push(one);
    else groups.set(one.item.shape, [one]);
  }
  return [...groups.values()];
}

/**
 * Splits a batch into lots of one table and kind, with no row twice in a lot. A later mutation of a
 * row is in a later lot. Inserted rows keep their order, because people read them in the order of
 * their ids.
 */
export function lotsOf(items: readonly Item[]): Item[][] {
  const seen = new Map<string, number>();
  const waves: Map<string, Item[]>[] = [];
  for (const item of items) {
    const { table, op, key } = item.shape;
    const row = `${table.name} ${idOf(item.key)}`;
    const wave = seen.get(row) ?? 0;
    seen.set(row, wave + 1);
    const lots = (waves[wave] ??= new Map<string, Item[]>());
    const name = `${op} ${table.name} ${key.map((column) => column.name).join(' ')}`;
    const lot = lots.get(name);
    if (lot) lot.push(item);
    else lots.set(name, [item]);
  }
  return waves.flatMap((lots) => [...lots.values()]);
}
