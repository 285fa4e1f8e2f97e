/**
 * Row mutations as SQLite statements: one upsert for the common case, prepared once per set of
 * columns, run in the caller's transaction.
 */
import { alreadyPresent, outcomeBehind, termOf, writtenBy } from '../../../contracts/row-guard.ts';
import type { Statement } from 'better-sqlite3';
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { MutationResult, RowMutation } from '../../../contracts/mutation.ts';
import type { Scalar } from '../../../contracts/schema.ts';
import { bounds } from '../../bounds.ts';
import type { ApplyBatch, DefaultObject } from '../../engine/engine.ts';
import {
  insistOnMark,
  insistOnOwner,
  markAfter,
  skippedBy,
  takesEffect,
} from '../../engine/mark-rule.ts';
import { outcomeOfRepeat } from '../../engine/row-guard.ts';
import {
  differingColumns,
  isProblem,
  mergeText,
  type Shape,
  shapeOf,
  signatureOf,
} from '../../engine/mutation-shape.ts';
import { toStatementFault } from './faults.ts';
import type { SqliteHandle } from './handle.ts';
import { readMark, writeMark } from './mark.ts';
import { compileShape } from './statements.ts';
import { toColumnValue, toTable } from '../../engine/table.ts';

/**
 * The statements of one shape. `adopt` takes over a row that the incumbent left without a hub; null
 * when the key contains no hub.
 */
type Prepared = { shape: Shape; change: Statement; read: Statement; adopt: Statement | null };

const applied: MutationResult = { Outcome: 'applied' };
const notFound: MutationResult = { Outcome: 'not-found' };

function rejected(reason: string): MutationResult {
  return { Outcome: 'rejected', Reason: reason.slice(0, bounds.reasonCharsMax) };
}

export class SqliteApplier {
  readonly #handle: SqliteHandle;
  readonly #prepared = new Map<string, Prepared | MutationResult>();
  #version = -1;
  #defaults: ReadonlyMap<string, DefaultObject> = new Map();

  constructor(handle: SqliteHandle) {
    this.#handle = handle;
  }

  /**
   * Applies a whole batch with its mark row, in the caller's transaction; the caller rolls back
   * when `IsCommitted` is false.
   */
  apply(batch: ApplyBatch): ApplyOutputs {
    this.#begin(batch);
    const stored = readMark(this.#handle, batch);
    insistOnOwner(batch, stored);
    insistOnMark(batch, stored);
    const isSkipped = skippedBy(batch, stored);
    const results = batch.mutations.map((mutation) =>
      isSkipped(mutation) ? alreadyPresent : this.#run(mutation, batch.now),
    );
    if (!takesEffect(batch, results)) return { Results: results, IsCommitted: false, Mark: stored };
    const mark = markAfter(batch, stored);
    if (mark !== null && mark !== stored) writeMark(this.#handle, batch, mark);
    return { Results: results, IsCommitted: true, Mark: mark };
  }

  /** Discards statements prepared for another schema or other defaults. */
  #begin(batch: ApplyBatch): void {
    const version = this.#handle.schemaVersion();
    if (version === this.#version && batch.defaults === this.#defaults) return;
    this.#prepared.clear();
    this.#version = version;
    this.#defaults = batch.defaults;
  }

  /**
   * Runs one mutation.
   * @throws errors of the database itself; everything else is an outcome
   */
  #run(mutation: RowMutation, now: string): MutationResult {
    try {
      const prepared = this.#prepare(mutation);
      return 'Outcome' in prepared ? prepared : this.#runPrepared(prepared, mutation, now);
    } catch (error) {
      const fault = toStatementFault(error);
      if (fault === null) throw error;
      return rejected(fault.message);
    }
  }

  #prepare(mutation: RowMutation): Prepared | MutationResult {
    const signature = signatureOf(mutation);
    const known = this.#prepared.get(signature);
    if (known) return known;
    if (this.#prepared.size >= bounds.statementsMax) this.#prepared.clear();
    const made = this.#make(mutation);
    this.#prepared.set(signature, made);
    return made;
  }

  #make(mutation: RowMutation): Prepared | MutationResult {
    const info = this.#handle.table(mutation.Table);
    const defaults = this.#defaults.get(mutation.Table);
    const shape = shapeOf(
      mutation,
      info === null || info.name !== mutation.Table ? null : toTable(info, defaults),
    );
    if (isProblem(shape)) {
      if (!shape.isSchemaGap || defaults === undefined) return rejected(shape.reason);
      // It existed at the last EnsureSchema: the writes are valid, the database is at fault.
      throw new TidemarkError('UNAVAILABLE', `${shape.reason}; run EnsureSchema again`, {
        retryAfterMs: bounds.databaseRetryMs,
      });
    }
    const { change, read, adopt } = compileShape(shape);
    return {
      shape,
      change: this.#handle.db.prepare(change),
      read: this.#handle.db.prepare(read),
      adopt: adopt === null ? null : this.#handle.db.prepare(adopt),
    };
  }

  #runPrepared(prepared: Prepared, mutation: RowMutation, now: string): MutationResult {
    const run =
      mutation.Op === 'write' ? runWrite : mutation.Op === 'insert' ? runInsert : runDelete;
    try {
      const result = run(prepared, mutation, now);
      if (result.Outcome !== 'not-found' || !adopts(prepared, mutation)) return result;
    } catch (error) {
      if (toStatementFault(error)?.kind !== 'unique' || !adopts(prepared, mutation)) throw error;
    }
    return run(prepared, mutation, now);
  }
}

function keyOf({ shape }: Prepared, mutation: RowMutation): Scalar[] {
  return shape.key.map((column) => toColumnValue(mutation.Key[column.name], column));
}

/** Assigns a row without a hub to the mutation's hub; false when there is none. */
function adopts(prepared: Prepared, mutation: RowMutation): boolean {
  return (
    prepared.adopt !== null &&
    prepared.adopt.run(mutation.Key['HubID'], ...keyOf(prepared, mutation)).changes > 0
  );
}

/** Values of a new row in the order of `compileShape`; `old` is the row merged into. */
function rowValues(
  { shape }: Prepared,
  mutation: RowMutation,
  now: string,
  old: Record<string, unknown> | undefined,
): Scalar[] {
  const values: Scalar[] = [];
  for (const column of shape.key) values.push(toColumnValue(mutation.Key[column.name], column));
  for (const column of shape.merge) {
    const base = mutation.Set[column.name] ?? old?.[column.name];
    values.push(toColumnValue(mergeText(base, mutation.Merge?.[column.name] ?? {}), column));
  }
  for (const column of shape.set) values.push(toColumnValue(mutation.Set[column.name], column));
  for (const column of shape.fill) values.push(toColumnValue(mutation.Fill?.[column.name], column));
  for (const column of shape.rest) values.push(column.fallback);
  values.push(...guardOf(shape, mutation));
  if (shape.createDate) values.push(now);
  if (shape.updateDate) values.push(now);
  return values;
}

/** Values of the columns that guard a row. */
function guardOf({ term }: Shape, mutation: RowMutation): number[] {
  return term ? [mutation.Seq, termOf(mutation)] : [mutation.Seq];
}

function runWrite(prepared: Prepared, mutation: RowMutation, now: string): MutationResult {
  const old =
    prepared.shape.merge.length > 0
      ? (prepared.read.get(keyOf(prepared, mutation)) as Record<string, unknown> | undefined)
      : undefined;
  // Values that no row could hold are refused first, as with every engine.
  const values = rowValues(prepared, mutation, now, old);
  const isBehind = old && outcomeBehind(mutation, writtenBy(old));
  if (isBehind) return isBehind;
  return prepared.change.run(values).changes > 0 ? applied : outcomeInPlace(prepared, mutation);
}

/** Of a write that changed nothing: its row is there, and not older. */
function outcomeInPlace(prepared: Prepared, mutation: RowMutation): MutationResult {
  const row = rowOf(prepared, mutation);
  return (row && outcomeBehind(mutation, writtenBy(row))) ?? alreadyPresent;
}

function rowOf(prepared: Prepared, mutation: RowMutation): Record<string, unknown> | undefined {
  return prepared.read.get(keyOf(prepared, mutation)) as Record<string, unknown> | undefined;
}

function runInsert(prepared: Prepared, mutation: RowMutation, now: string): MutationResult {
  if (prepared.change.run(rowValues(prepared, mutation, now, undefined)).changes > 0)
    return applied;
  const stored = rowOf(prepared, mutation);
  if (!stored) return rejected(`table ${mutation.Table}: the row was refused and does not exist`);
  return outcomeOfRepeat(mutation, writtenBy(stored), () =>
    differingColumns(mutation, prepared.shape, stored),
  );
}

function runDelete(prepared: Prepared, mutation: RowMutation, now: string): MutationResult {
  const key = keyOf(prepared, mutation);
  const { term, updateDate } = prepared.shape;
  const guard = guardOf(prepared.shape, mutation);
  const values = [...guard, ...(updateDate ? [now] : []), ...key];
  const than = term ? [termOf(mutation), mutation.Seq] : [mutation.Seq];
  if (prepared.change.run(...values, ...than).changes > 0) return applied;
  return rowOf(prepared, mutation) ? outcomeInPlace(prepared, mutation) : notFound;
}
