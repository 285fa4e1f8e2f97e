/**
 * What a row mutation needs of its table: the shape that a statement is prepared for, checked once
 * per set of columns.
 */
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type { RowMutation } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { isBeaconTable, markTable } from './engine.ts';
import { type Column, type Table, toColumnValue } from './table.ts';

/** The columns a mutation writes. `set` contains no key column, `fill` no column of `set`. */
export type Shape = {
  op: RowMutation['Op'];
  table: Table;
  key: Column[];
  set: Column[];
  fill: Column[];
  merge: Column[];
  /**
   * Omitted columns for which the database would store something other than the descriptor's
   * default.
   */
  rest: Column[];
  /** Null in a table of before there were Terms. */
  term: Column | null;
  createDate: Column | null;
  updateDate: Column | null;
};

/**
 * Why a mutation is impossible. `isSchemaGap`: the table differs from what EnsureSchema creates, so
 * the mutation may be valid.
 */
export type ShapeProblem = { reason: string; isSchemaGap: boolean };

const managed: ReadonlySet<string> = new Set([
  'BridgeSeq',
  'BridgeTerm',
  'Deleted',
  'CreateDate',
  'UpdateDate',
]);

/** Equal for mutations of the same shape. */
export function signatureOf(mutation: RowMutation): string {
  let signature = `${mutation.Op} ${mutation.Table} ${mutation.Term ? 'of a Term' : ''}`;
  for (const part of [mutation.Key, mutation.Set, mutation.Fill, mutation.Merge]) {
    signature += '\n';
    for (const name in part) signature += `${name}\t`;
  }
  return signature;
}

export function shapeOf(mutation: RowMutation, table: Table | null): Shape | ShapeProblem {
  if (isBeaconTable(mutation.Table) || mutation.Table === markTable)
    return problem(`table ${mutation.Table} is written by the beacon only`);
  if (table === null) return { reason: `there is no table ${mutation.Table}`, isSchemaGap: true };
  const gap = gapOf(mutation, table);
  if (gap !== null) return { reason: `table ${table.name}: ${gap}`, isSchemaGap: true };
  const names = {
    key: Object.keys(mutation.Key),
    set: Object.keys(mutation.Set),
    fill: Object.keys(mutation.Fill ?? {}),
    merge: Object.keys(mutation.Merge ?? {}),
  };
  const all = [...names.key, ...names.set, ...names.fill, ...names.merge];
  const unknown = all.filter((name) => !table.columns.has(name));
  if (unknown.length > 0) return problem(`table ${table.name} has no column ${unknown.join(', ')}`);
  const own = all.filter((name) => managed.has(name) || name === table.identity?.name);
  if (own.length > 0)
    return problem(`column ${own.join(', ')} of ${table.name} is written by the beacon only`);
  const given = new Set<string>();
  const resolve = (list: string[]) =>
    list
      .filter((name) => !given.has(name) && given.add(name))
      .map((name) => table.columns.get(name) as Column);
  const parts = {
    key: resolve(names.key),
    merge: resolve(names.merge),
    set: resolve(names.set),
    fill: resolve(names.fill),
  };
  const rest = [...table.columns.values()].filter(
    (column) => !column.isFallbackGiven && !given.has(column.name) && !managed.has(column.name),
  );
  return {
    op: mutation.Op,
    table,
    ...parts,
    rest,
    term: table.columns.get('BridgeTerm') ?? null,
    createDate: table.columns.get('CreateDate') ?? null,
    updateDate: table.columns.get('UpdateDate') ?? null,
  };
}

function problem(reason: string): ShapeProblem {
  return { reason, isSchemaGap: false };
}

function gapOf(mutation: RowMutation, table: Table): string | null {
  for (const name of ['BridgeSeq', 'Deleted', ...(mutation.Term ? ['BridgeTerm'] : [])])
    if (!table.columns.has(name)) return `there is no column ${name}`;
  const key = Object.keys(mutation.Key);
  if (key.some((name) => !table.columns.has(name))) return null;
  const isUnique = table.uniqueKeys.some(
    ({ columns }) => columns.length === key.length && columns.every((name) => key.includes(name)),
  );
  return isUnique ? null : `there is no unique index on (${key.join(', ')})`;
}

/** Whether `shapeOf` returned a problem. */
export function isProblem(shape: Shape | ShapeProblem): shape is ShapeProblem {
  return 'reason' in shape;
}

/**
 * Merges members into a column's JSON object text; text that is not an object counts as an empty
 * one.
 */
export function mergeText(old: unknown, members: JsonObject): string {
  let base: unknown = null;
  if (typeof old === 'string' && old !== '' && old !== '{}') {
    try {
      base = JSON.parse(old);
    } catch {
      base = null;
    }
  }
  return JSON.stringify(isJsonObject(base) ? { ...base, ...members } : members);
}

/**
 * Names of the given columns whose stored value differs from the mutation's; empty when the row is
 * the same.
 */
export function differingColumns(
  mutation: RowMutation,
  shape: Shape,
  stored: Readonly<Record<string, unknown>>,
): string[] {
  const differs = (column: Column, value: Scalar | undefined) =>
    toColumnValue(value, column) !== stored[column.name];
  return [
    ...shape.key.filter((column) => differs(column, mutation.Key[column.name])),
    ...shape.set.filter((column) => differs(column, mutation.Set[column.name])),
  ].map((column) => column.name);
}
