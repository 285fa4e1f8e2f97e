/**
 * Sends mutations as MeadowProxy requests to a databeacon without the batch capability: reads,
 * decides and writes, one row at a time.
 */
import { defaultsOf } from '../../bridges/project.ts';
import { isEmptyValue } from '../../bridges/fold.ts';
import { compareScalars } from '../../bridges/read-merge.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { MutationResult, Row, RowMutation } from '../../contracts/mutation.ts';
import {
  alreadyPresent,
  outcomeBehind,
  superseded,
  termOf,
  writtenBy,
} from '../../contracts/row-guard.ts';
import { type Scalar, type SchemaTable, type TableName, tableOf } from '../../contracts/schema.ts';
import type { Carrier, Delivered, Delivery } from './carrier.ts';
import { inTurns } from './key-turns.ts';
import type { MeadowClient, Written } from '../beacons/meadow-client.ts';

/**
 * A row may appear between our read and our insert; reading again finds it. If it takes more
 * attempts than this, it is not a race.
 */
const looksMax = 3;

export class MeadowCarrier implements Carrier {
  readonly name = 'meadow-proxy';
  readonly isAtomic = false;
  readonly #client: MeadowClient;

  constructor(client: MeadowClient) {
    this.#client = client;
  }

  async apply(delivery: Delivery): Promise<Delivered> {
    return {
      results: await inTurns(delivery.writes, (write) => this.#applyOne(write.mutation)),
      isCommitted: true,
    };
  }

  /** Only the batch capability keeps a mark row; here each row carries its BridgeSeq. */
  mark(): Promise<null> {
    return Promise.resolve(null);
  }

  async #applyOne(mutation: RowMutation): Promise<MutationResult> {
    const table = tableOf(mutation.Table as TableName);
    let failed: Exclude<Written, { end: 'done' }> | null = null;
    for (let look = 0; look < looksMax; look++) {
      const found = await this.#client.find(mutation.Table, mutation.Key);
      const decided = found ? decide(table, found, mutation) : null;
      if (decided && 'Outcome' in decided) return decided;
      if (!found && mutation.Op === 'delete') return { Outcome: 'not-found' };
      const written = await this.#write(table, mutation, found, decided);
      if (written.end === 'done') return { Outcome: 'applied' };
      if (written.end === 'refused') return { Outcome: 'rejected', Reason: written.reason };
      failed = written;
    }
    if (failed?.end === 'unique')
      return {
        Outcome: 'conflict',
        Reason: `another row has the same unique value: ${failed.reason}`,
      };
    throw new TidemarkError(
      'UNAVAILABLE',
      `a row of ${mutation.Table} comes and goes: ${failed?.reason}`,
    );
  }

  #write(
    table: SchemaTable,
    mutation: RowMutation,
    found: Row | null,
    decided: { row: Row } | null,
  ): Promise<Written> {
    if (!decided) return this.#client.insert(mutation.Table, freshRow(table, mutation));
    if (mutation.Op === 'delete')
      return this.#client.remove(mutation.Table, mutation.Key, decided.row);
    return this.#client.update(mutation.Table, decided.row, isDeleted(found));
  }
}

function isDeleted(row: Row | null): boolean {
  return Boolean(row?.['Deleted']);
}

/** What a row is guarded by; without a Term, of before there were any, only by its Seq. */
function guardOf({ Seq, Term }: RowMutation): Row {
  return Term === undefined ? { BridgeSeq: Seq } : { BridgeSeq: Seq, BridgeTerm: Term };
}

/** The row to insert: defaults, the key, and all given values. */
function freshRow(table: SchemaTable, mutation: RowMutation): Row {
  const merged: Row = {};
  for (const [name, members] of Object.entries(mutation.Merge ?? {}))
    merged[name] = JSON.stringify(members);
  return {
    ...defaultsOf(table),
    ...mutation.Key,
    ...mutation.Fill,
    ...mutation.Set,
    ...merged,
    ...guardOf(mutation),
    Deleted: 0,
  };
}

/** Decides what to do about an existing row: nothing (an outcome), or an update. */
function decide(
  table: SchemaTable,
  found: Row,
  mutation: RowMutation,
): MutationResult | { row: Row } {
  const by = writtenBy(found);
  const isOwn = by.seq === mutation.Seq && by.term === termOf(mutation);
  if (mutation.Op === 'insert') return isOwn ? alreadyPresent : compared(table, found, mutation);
  // A soft delete may take two requests: a row with its Seq that is still visible is half done.
  const isHalfDone = mutation.Op === 'delete' && isOwn && !isDeleted(found);
  const behind = outcomeBehind(mutation, by);
  if (behind && !isHalfDone) return behind;
  const id = { [table.idColumn]: found[table.idColumn] ?? null };
  if (mutation.Op === 'delete') return { row: { ...id, ...guardOf(mutation) } };
  const row: Row = { ...id, ...mutation.Set, Deleted: 0, ...guardOf(mutation) };
  for (const [name, value] of Object.entries(mutation.Fill ?? {})) {
    if (isEmptyValue(found[name]) && !(name in mutation.Set)) row[name] = value;
  }
  for (const [name, members] of Object.entries(mutation.Merge ?? {}))
    row[name] = JSON.stringify({ ...jsonOf(found[name]), ...members });
  return { row };
}

function compared(table: SchemaTable, found: Row, mutation: RowMutation): MutationResult {
  const different = Object.entries(mutation.Set)
    .filter(([name, value]) => !isSame(table, name, found[name], value))
    .map(([name]) => name);
  if (different.length === 0) return alreadyPresent;
  if (writtenBy(found).term > termOf(mutation)) return superseded;
  return {
    Outcome: 'conflict',
    Reason: `a row with this key has other values in ${different.join(', ')}`,
  };
}

/** Compares meanings, because engines return booleans as 0/1 and JSON already parsed. */
function isSame(
  table: SchemaTable,
  name: string,
  found: Scalar | JsonObject | undefined,
  value: Scalar,
): boolean {
  if (isJsonObject(found)) return JSON.stringify(found) === value;
  if (table.columns.get(name)?.kind === 'boolean') return Boolean(found) === Boolean(value);
  return compareScalars(found, value) === 0;
}

function jsonOf(text: Scalar | undefined): JsonObject {
  if (typeof text !== 'string' || text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    // Text that is not a JSON object was not written by us, and is replaced.
    return {};
  }
}
