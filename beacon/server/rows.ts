/** A mutation as a row: the columns it writes and their values, for a row that is new and for one that is there. */
import type { RowMutation } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { mergeText, type Shape } from '../mutation-shape.ts';
import { type Column, toStored } from '../table.ts';

export type StoredRow = Readonly<Record<string, unknown>>;

/** A mutation on its way, with its place in the batch. `key` are the values of the shape's key columns. */
export type Item = { at: number; mutation: RowMutation; shape: Shape; key: Scalar[] };

/** @throws Misfit when the key cannot be one */
export function itemOf(at: number, mutation: RowMutation, shape: Shape): Item {
  return { at, mutation, shape, key: shape.key.map((column) => toStored(mutation.Key[column.name], column)) };
}

/** A row is known by these values. */
export function idOf(values: readonly unknown[]): string {
  return JSON.stringify(values);
}

function own(shape: Shape, name: string): Column {
  return shape.table.columns.get(name) as Column;
}

/** Columns of a new row, in the order of `newRow`. */
export function newColumns(shape: Shape): Column[] {
  const dates = [shape.createDate, shape.updateDate].filter((column) => column !== null);
  return [...shape.key, ...shape.merge, ...shape.set, ...shape.fill, ...shape.rest, own(shape, 'BridgeSeq'), own(shape, 'Deleted'), ...dates];
}

/** @throws Misfit when a column cannot hold its value */
export function newRow({ mutation, shape, key }: Item, now: string): Scalar[] {
  return [
    ...key,
    ...shape.merge.map((column) => toStored(mergeText(mutation.Set[column.name], mutation.Merge?.[column.name] ?? {}), column)),
    ...shape.set.map((column) => toStored(mutation.Set[column.name], column)),
    ...shape.fill.map((column) => toStored(mutation.Fill?.[column.name], column)),
    ...shape.rest.map((column) => column.fallback),
    mutation.Seq, 0,
    ...(shape.createDate ? [now] : []), ...(shape.updateDate ? [now] : []),
  ];
}

/** Columns a mutation changes in a row that is there, in the order of `changedRow`. */
export function changedColumns(shape: Shape): Column[] {
  const given = shape.op === 'delete' ? [] : [...shape.merge, ...shape.set, ...shape.fill];
  return [...given, own(shape, 'BridgeSeq'), own(shape, 'Deleted'), ...(shape.updateDate ? [shape.updateDate] : [])];
}

/** @throws Misfit when a column cannot hold its value */
export function changedRow({ mutation, shape }: Item, old: StoredRow, now: string): Scalar[] {
  const tail: Scalar[] = [mutation.Seq, shape.op === 'delete' ? 1 : 0, ...(shape.updateDate ? [now] : [])];
  if (shape.op === 'delete') return tail;
  return [
    ...shape.merge.map((column) => toStored(mergeText(mutation.Set[column.name] ?? old[column.name], mutation.Merge?.[column.name] ?? {}), column)),
    ...shape.set.map((column) => toStored(mutation.Set[column.name], column)),
    ...shape.fill.map((column) => (isEmpty(old[column.name]) ? toStored(mutation.Fill?.[column.name], column) : old[column.name] as Scalar)),
    ...tail,
  ];
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '' || value === 0;
}

/** Columns that are read of a row before it is changed or compared. */
export function readColumns(shape: Shape): Column[] {
  const { identity } = shape.table;
  const compared = shape.op === 'insert' ? shape.set : [];
  return [...(identity ? [identity] : []), ...shape.key, ...shape.merge, ...shape.fill, ...compared, own(shape, 'BridgeSeq')];
}

/**
 * Cuts a batch into lots that one statement each can take: rows of one shape, none twice in a lot. A later mutation of a row is in a
 * later lot; between different rows of one transaction nobody sees an order.
 */
export function lotsOf(items: readonly Item[]): Item[][] {
  const waves = new Map<string, number>();
  const lots = new Map<string, Item[]>();
  const shapes = new Map<Shape, number>();
  for (const item of items) {
    const row = `${item.shape.table.name} ${idOf(item.key)}`;
    const wave = (waves.get(row) ?? -1) + 1;
    waves.set(row, wave);
    const shape = shapes.get(item.shape) ?? shapes.size;
    shapes.set(item.shape, shape);
    const name = `${String(wave).padStart(6, '0')} ${shape}`;
    const lot = lots.get(name);
    if (lot) lot.push(item);
    else lots.set(name, [item]);
  }
  return [...lots].toSorted(([one], [other]) => (one.slice(0, 6) < other.slice(0, 6) ? -1 : one.slice(0, 6) > other.slice(0, 6) ? 1 : 0)).map(([, lot]) => lot);
}
