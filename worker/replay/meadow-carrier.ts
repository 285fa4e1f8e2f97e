/**
 * Mutations as MeadowProxy requests, for a databeacon without the batch capability: look, decide,
 * write, one row at a time.
 */
import { defaultsOf } from '../../bridges/project.ts';
import { isEmptyValue } from '../../bridges/fold.ts';
import { compareScalars } from '../../bridges/read-merge.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { MutationResult, Row, RowMutation } from '../../contracts/mutation.ts';
import { type Scalar, type SchemaTable, type TableName, tableOf } from '../../contracts/schema.ts';
import type { Carrier, Delivered, Delivery } from './carrier.ts';
import { inTurns } from './key-turns.ts';
import type { MeadowClient, Written } from '../beacons/meadow-client.ts';

/**
 * A row may appear between our look and our insert; another look finds it. More often than this is
 * no race.
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

  /** Rows carry their BridgeSeq; a mark row is kept only by the batch capability. */
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
        Reason: `another row holds a unique value of this one: ${failed.reason}`,
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

/** The row an insert makes: defaults, the key, all that is given. */
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
    BridgeSeq: mutation.Seq,
    Deleted: 0,
  };
}

/** What to do about a row that is there: nothing (an outcome), or the update. */
function decide(
  table: SchemaTable,
  found: Row,
  mutation: RowMutation,
): MutationResult | { row: Row } {
  const foundSeq = Number(found['BridgeSeq'] ?? 0);
  if (mutation.Op === 'insert')
    return foundSeq === mutation.Seq
      ? { Outcome: 'already-present' }
      : compared(table, found, mutation);
  // A soft delete may take two requests: a row that has its Seq and is still to be seen is half
  // done.
  const isHalfDone = mutation.Op === 'delete' && foundSeq === mutation.Seq && !isDeleted(found);
  if (foundSeq >= mutation.Seq && !isHalfDone) return { Outcome: 'already-present' };
  const id = { [table.idColumn]: found[table.idColumn] ?? null };
  if (mutation.Op === 'delete') return { row: { ...id, BridgeSeq: mutation.Seq } };
  const row: Row = { ...id, ...mutation.Set, Deleted: 0, BridgeSeq: mutation.Seq };
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
  if (different.length === 0) return { Outcome: 'already-present' };
  return {
    Outcome: 'conflict',
    Reason: `a row with this key says otherwise in ${different.join(', ')}`,
  };
}

/** Engines give booleans as 0/1 and parsed JSON as objects; what counts is the meaning. */
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
    // Text that is no JSON object was never ours; the members we know replace it.
    return {};
  }
}
