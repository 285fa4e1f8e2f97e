/**
 * Upserts: each row updates the row with its id, or else the one with the same unique key, or else
 * is inserted.
 */
import type { JsonObject } from '../../contracts/body/json-value.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { type EndpointAnswer, type ErrorBody, errorBody, failure, notFound } from './answer.ts';
import { type Statement, StatementFault } from '../engine/engine.ts';
import { BadRequest, emptyFilter, equals, type Filter, type Term } from '../sql/filter.ts';
import { type Endpoint, hubOf, insertOf, toId, updateOf, within } from './row-statements.ts';
import { identityColumnOf } from '../sql/conditions.ts';
import { selectRows } from '../sql/row-reads.ts';
import { type Table, toColumnValue } from '../engine/table.ts';

export type Upserted =
  | { operation: 'Create' | 'Update'; row: Record<string, unknown> }
  | { operation: 'Create' | 'Update'; error: ErrorBody };

/**
 * A row may appear or disappear between our read and our write; reading again resolves it. More
 * often than this it is not a race.
 */
const looksMax = 3;

/**
 * Outcomes in the order of the bodies; if several bodies target one row, the last one wins.
 * @throws TidemarkError UNAVAILABLE
 */
export async function upsertRows(
  endpoint: Endpoint,
  bodies: readonly JsonObject[],
): Promise<Upserted[]> {
  const outcomes: Upserted[] = bodies.map(() => ({ operation: 'Create', error: notFound }));
  let open = [...bodies.keys()];
  for (let look = 0; look < looksMax && open.length > 0; look++)
    open = await round(endpoint, bodies, open, outcomes);
  return outcomes;
}

/**
 * Finds all rows, then writes them.
 * @returns those that must be tried again
 */
async function round(
  endpoint: Endpoint,
  bodies: readonly JsonObject[],
  open: readonly number[],
  outcomes: Upserted[],
): Promise<number[]> {
  const found = await findAll(endpoint, bodies, open);
  const writes: { index: number; operation: 'Create' | 'Update'; statement: Statement }[] = [];
  for (const index of open) {
    const body = bodies[index] ?? {};
    const known = found.get(index);
    const operation = known instanceof Set && known.size > 0 ? 'Update' : 'Create';
    try {
      if (known instanceof Error) throw known;
      if (known && known.size > 1)
        throw new StatementFault(
          'unique',
          'TWO_ROWS',
          'two unique keys of this row match two different rows',
        );
      writes.push({
        index,
        operation,
        statement: statementOf(endpoint, body, known ? [...known][0] : undefined),
      });
    } catch (error) {
      outcomes[index] = { operation, error: errorBody(error) };
    }
  }
  if (writes.length === 0) return [];
  const results = await endpoint.engine.execute(writes.map(({ statement }) => statement));
  const again: number[] = [];
  for (const [at, { index, operation }] of writes.entries()) {
    const result = results[at];
    const row = result instanceof StatementFault ? undefined : result?.rows[0];
    if (row) {
      outcomes[index] = { operation, row };
      continue;
    }
    outcomes[index] = {
      operation,
      error: result instanceof StatementFault ? errorBody(result) : notFound,
    };
    const isRace =
      result instanceof StatementFault ? result.kind === 'unique' && operation === 'Create' : true;
    if (isRace) again.push(index);
  }
  return again;
}

/** A soft-deleted row is restored, unless the body says otherwise. */
function statementOf(endpoint: Endpoint, body: JsonObject, id: Scalar | undefined): Statement {
  if (id === undefined) return insertOf(endpoint, body);
  return updateOf(
    endpoint,
    { ...(endpoint.table.columns.has('Deleted') ? { Deleted: 0 } : {}), ...body },
    id,
  );
}

/** The ids of the rows each body targets, or the error why they cannot be determined. */
async function findAll(
  endpoint: Endpoint,
  bodies: readonly JsonObject[],
  open: readonly number[],
): Promise<Map<number, Set<Scalar> | Error>> {
  const { engine, table } = endpoint;
  const identity = identityColumnOf(table).name;
  const found = new Map<number, Set<Scalar> | Error>();
  const looks: { index: number; isById: boolean; statement: Statement }[] = [];
  for (const index of open) {
    try {
      for (const { filter, isById } of filtersOf(table, ownedBy(endpoint, bodies[index] ?? {}))) {
        looks.push({
          index,
          isById,
          statement: selectRows(
            engine.kind,
            table,
            within(endpoint, filter),
            { begin: 0, cap: 1 },
            { columns: [identity] },
          ),
        });
      }
    } catch (error) {
      found.set(index, error as Error);
    }
  }
  const results =
    looks.length === 0 ? [] : await engine.execute(looks.map(({ statement }) => statement));
  const isDecided = new Set<number>();
  for (const [at, { index, isById }] of looks.entries()) {
    const result = results[at];
    const before = found.get(index);
    if (isDecided.has(index) || before instanceof Error) continue;
    if (result instanceof StatementFault) found.set(index, result);
    const id = result instanceof StatementFault ? undefined : result?.rows[0]?.[identity];
    if (id === undefined) continue;
    found.set(index, new Set([...(before ?? []), id as Scalar]));
    // The id decides which row is meant, whatever else changes.
    if (isById) isDecided.add(index);
  }
  return found;
}

/** Adds the HubID that an insert would store, so that keys are looked up with it. */
function ownedBy(endpoint: Endpoint, body: JsonObject): JsonObject {
  const hub = hubOf(endpoint);
  return hub === null ? body : { HubID: hub, ...body };
}

/**
 * The id first, then each unique key of which the body sets a column; columns it leaves out count
 * with the value an insert would store.
 */
function filtersOf(table: Table, body: JsonObject): { filter: Filter; isById: boolean }[] {
  const identity = identityColumnOf(table).name;
  const given = body[identity];
  const filters: { filter: Filter; isById: boolean }[] = [];
  if (given !== undefined && given !== null && given !== '' && given !== 0 && given !== '0') {
    filters.push({
      filter: withDeleted(equals(identity, String(toId(table, given)))),
      isById: true,
    });
  }
  for (const { columns: key } of table.uniqueKeys) {
    if (key.includes(identity) || !key.some((name) => Object.hasOwn(body, name))) continue;
    const filter = keyFilter(table, key, body);
    if (filter) filters.push({ filter, isById: false });
  }
  return filters;
}

function withDeleted(filter: Filter): Filter {
  filter.columns.add('Deleted');
  return filter;
}

/** Null for a key that cannot match another row: one with a null, or over an expression. */
function keyFilter(table: Table, key: readonly string[], body: JsonObject): Filter | null {
  const terms: Term[] = [];
  for (const name of key) {
    const column = table.columns.get(name);
    if (!column) return null;
    const value = Object.hasOwn(body, name) ? toColumnValue(body[name], column) : column.fallback;
    if (value === null) return null;
    terms.push({ kind: 'term', column: name, operator: 'EQ', values: [String(value)] });
  }
  const filter = withDeleted(emptyFilter());
  filter.where.any = [terms];
  return filter;
}

/** Returns the row after the write. */
export async function upsertOne(endpoint: Endpoint, body: JsonObject): Promise<EndpointAnswer> {
  const [outcome] = await upsertRows(endpoint, [body]);
  if (!outcome) throw new BadRequest('nothing was given');
  return 'row' in outcome
    ? { status: 200, body: outcome.row }
    : { status: outcome.error.StatusCode, body: outcome.error };
}

/**
 * Short rows of the successful upserts; with `isDetailed` the failed ones too, with reasons. Counts
 * are in the headers.
 */
export async function upsertMany(
  endpoint: Endpoint,
  bodies: readonly JsonObject[],
  isDetailed: boolean,
  toLite: (row: Record<string, unknown>) => object,
): Promise<EndpointAnswer> {
  try {
    const outcomes = await upsertRows(endpoint, bodies);
    const done = outcomes.flatMap((outcome) => ('row' in outcome ? [toLite(outcome.row)] : []));
    const refused = outcomes.flatMap((outcome, at) => {
      if ('row' in outcome) return [];
      const { Error: reason, StatusCode, Code } = outcome.error;
      return [
        { Record: bodies[at], Operation: outcome.operation, Error: reason, StatusCode, Code },
      ];
    });
    const counts = { Total: bodies.length, Succeeded: done.length, Errored: refused.length };
    const headers = Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [`X-Meadow-Upsert-${name}`, String(count)]),
    );
    return {
      status: 200,
      headers,
      body: isDetailed ? { Counts: counts, UpsertedRecords: done, ErrorRecords: refused } : done,
    };
  } catch (error) {
    return failure(error);
  }
}
