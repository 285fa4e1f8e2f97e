/**
 * Folds a batch: consecutive writes of one row become one mutation. Events and removals are never
 * folded away.
 */
import type { JsonObject } from '../contracts/json-value.ts';
import type { Row, RowMutation } from '../contracts/mutation.ts';
import type { Scalar } from '../contracts/schema.ts';

/** A mutation and the Seqs of the entries it stands for, ascending. */
export type Folded = { mutation: RowMutation; key: string; seqs: number[] };

/** What `Fill` may write over: nothing said, or nothing but the default. */
export function isEmptyValue(value: Scalar | undefined): boolean {
  return value === null || value === undefined || value === '' || value === 0 || value === false;
}

/** The row a mutation is about, as one string. */
export function rowKeyOf(mutation: RowMutation): string {
  let name: string = mutation.Table;
  for (const column of Object.keys(mutation.Key)) name += `\u0000${mutation.Key[column]}`;
  return name;
}

function foldFill(first: RowMutation, second: RowMutation, set: Row): Row {
  const fill: Row = { ...first.Fill };
  for (const name of Object.keys(second.Set)) delete fill[name];
  for (const [name, value] of Object.entries(second.Fill ?? {})) {
    if (name in second.Set) continue;
    if (name in first.Set) {
      if (isEmptyValue(first.Set[name])) set[name] = value;
    } else if (isEmptyValue(fill[name])) fill[name] = value;
  }
  return fill;
}

function foldMerge(first: RowMutation, second: RowMutation): Record<string, JsonObject> {
  const merge: Record<string, JsonObject> = { ...first.Merge };
  for (const [name, members] of Object.entries(second.Merge ?? {}))
    merge[name] = { ...merge[name], ...members };
  return merge;
}

/** Two writes of one row as one: applying it is applying both, in order. */
export function composeWrites(first: RowMutation, second: RowMutation): RowMutation {
  const set: Row = { ...first.Set, ...second.Set };
  const fill = foldFill(first, second, set);
  const merge = foldMerge(first, second);
  const user = second.RemoteUser ?? first.RemoteUser;
  return {
    Op: 'write',
    Table: first.Table,
    Key: first.Key,
    Seq: second.Seq,
    Set: set,
    ...(Object.keys(fill).length > 0 ? { Fill: fill } : {}),
    ...(Object.keys(merge).length > 0 ? { Merge: merge } : {}),
    ...(user === undefined ? {} : { RemoteUser: user }),
  };
}

/** One write on its way: its mutation, and the key that orders it. */
export type Keyed = { mutation: RowMutation; key: string };

/**
 * Folds mutations given in Seq order. The results stand where the first of their entries stood.
 * @param isAtomic whether the whole batch takes effect at once. If not, only neighbours of a key
 * are folded: what is refused in the middle must find everything before it done and nothing behind
 * it.
 */
export function foldBatch(writes: readonly Keyed[], isAtomic: boolean): Folded[] {
  const folded: Folded[] = [];
  const open = new Map<string, Folded>();
  for (const { mutation, key } of writes) {
    const slot = isAtomic ? rowKeyOf(mutation) : key;
    const before = open.get(slot);
    if (before && canFold(before.mutation, mutation, isAtomic)) {
      before.mutation = composeWrites(before.mutation, mutation);
      before.seqs.push(mutation.Seq);
      continue;
    }
    const fresh: Folded = { mutation, key, seqs: [mutation.Seq] };
    open.set(slot, fresh);
    folded.push(fresh);
  }
  return folded;
}

/** @param isOneRow when that is known */
function canFold(first: RowMutation, second: RowMutation, isOneRow: boolean): boolean {
  return (
    first.Op === 'write' &&
    second.Op === 'write' &&
    (isOneRow || rowKeyOf(first) === rowKeyOf(second))
  );
}
