/**
 * Folds a batch: consecutive writes to one row become one mutation. Events and removals are never
 * folded away.
 */
import type { JsonObject } from '../contracts/body/json-value.ts';
import type { Row, RowMutation } from '../contracts/mutation.ts';
import type { Scalar } from '../contracts/schema.ts';

/** A mutation, and the Seqs of the entries folded into it, ascending. */
export type Folded = { mutation: RowMutation; key: string; seqs: number[] };

/** Whether `Fill` may replace this value: it is missing or equal to its type's default. */
export function isEmptyValue(value: Scalar | undefined): boolean {
  return value === null || value === undefined || value === '' || value === 0 || value === false;
}

/** Identifies the row a mutation targets: table and key as one string. */
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

/**
 * Combines two writes to one row. Applying the result has the same effect as applying both in
 * order.
 */
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
    ...(second.Term === undefined ? {} : { Term: second.Term }),
    Set: set,
    ...(Object.keys(fill).length > 0 ? { Fill: fill } : {}),
    ...(Object.keys(merge).length > 0 ? { Merge: merge } : {}),
    ...(user === undefined ? {} : { RemoteUser: user }),
  };
}

/** A mutation, and the key whose order it must keep. */
export type Keyed = { mutation: RowMutation; key: string };

/**
 * Folds mutations given in Seq order. A folded mutation takes the place of the first one in it.
 * @param isAtomic whether the whole batch is applied in one transaction. If not, only consecutive
 * writes of one key are folded: when a write is refused midway, everything before it must have been
 * applied and nothing after it.
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

/**
 * Writes of two owners are not folded: a row that came between them lets only the later one in.
 * @param isOneRow whether both are known to target the same row
 */
function canFold(first: RowMutation, second: RowMutation, isOneRow: boolean): boolean {
  return (
    first.Op === 'write' &&
    second.Op === 'write' &&
    first.Term === second.Term &&
    (isOneRow || rowKeyOf(first) === rowKeyOf(second))
  );
}
