/**
 * Turns bodies of table endpoints into statements: checks which columns the sender may set, and
 * fills in the rest.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { bounds } from '../bounds.ts';
import {
  type Engine,
  type Statement,
  StatementFault,
  type StatementResult,
} from '../engine/engine.ts';
import { BadRequest, type Filter, type Term } from '../sql/filter.ts';
import { identityColumnOf } from '../sql/conditions.ts';
import { insertRow, removeRow, type RowScope, updateRow } from '../sql/row-writes.ts';
import { type Column, type Table, toColumnValue } from '../engine/table.ts';

/**
 * A table of an engine during one request; `now` goes into CreateDate and UpdateDate. With a `hub`,
 * only that hub's rows are visible in tables that have a HubID.
 */
export type Endpoint = { engine: Engine; table: Table; now: string; hub: string | null };

/** The hub whose rows are visible; null for all. */
export function hubOf({ table, hub }: Endpoint): string | null {
  return table.columns.has('HubID') ? hub : null;
}

/** Limits a filter to the rows of the endpoint's hub. */
export function within(endpoint: Endpoint, filter: Filter): Filter {
  const hub = hubOf(endpoint);
  if (hub === null) return filter;
  const own: Term = { kind: 'term', column: 'HubID', operator: 'EQ', values: [hub] };
  return { ...filter, where: { kind: 'group', any: [[own, filter.where]] } };
}

/**
 * Checks that a body is for the endpoint's hub; it may leave HubID out.
 * @throws TidemarkError FORBIDDEN for another hub's row
 */
function ownBody(endpoint: Endpoint, body: JsonObject): JsonObject {
  const hub = hubOf(endpoint);
  if (hub === null) return body;
  if ((body['HubID'] ?? hub) !== hub)
    throw new TidemarkError('FORBIDDEN', `HubID: only rows of ${hub} are written here`);
  return body;
}

/**
 * Runs one statement.
 * @throws StatementFault
 */
export async function execute(endpoint: Endpoint, statement: Statement): Promise<StatementResult> {
  const [result] = await endpoint.engine.execute([statement]);
  if (!result) throw new TidemarkError('INTERNAL', 'the engine gave no result');
  if (result instanceof StatementFault) throw result;
  return result;
}

export async function endpointRows(
  endpoint: Endpoint,
  statement: Statement,
): Promise<Record<string, unknown>[]> {
  return (await execute(endpoint, statement)).rows;
}

export function objectBody(body: unknown): JsonObject {
  if (isJsonObject(body)) return body;
  throw new BadRequest('the body is not a JSON object');
}

export function listBody(body: unknown): JsonObject[] {
  if (!Array.isArray(body)) throw new BadRequest('the body is not a JSON array');
  if (body.length > bounds.arrayRowsMax)
    throw new TidemarkError(
      'TOO_LARGE',
      `the body has ${body.length} rows, at most ${bounds.arrayRowsMax}`,
    );
  return body.map(objectBody);
}

/** @throws BadRequest for an invalid id */
export function toId(table: Table, id: unknown): Scalar {
  const column = identityColumnOf(table);
  if (id === undefined || id === null || id === '')
    throw new BadRequest(`no ${column.name} was given`);
  try {
    return toColumnValue(id, column);
  } catch (error) {
    throw new BadRequest(messageOf(error));
  }
}

/**
 * The columns a body sets, in stored form. The identity column and the dates are not the sender's
 * to set.
 */
function valuesOf(table: Table, body: JsonObject): Record<string, Scalar> {
  const unknown = Object.keys(body).filter((name) => !table.columns.has(name));
  if (unknown.length > 0)
    throw new BadRequest(
      `table ${table.name} has no column ${unknown.join(', ').slice(0, bounds.reasonCharsMax)}`,
    );
  const values: Record<string, Scalar> = {};
  for (const [name, value] of Object.entries(body)) {
    const column = table.columns.get(name) as Column;
    if (!column.isIdentity && name !== 'CreateDate' && name !== 'UpdateDate')
      values[name] = toColumnValue(value, column);
  }
  return values;
}

export function touched({ table, now }: Endpoint): Record<string, Scalar> {
  return table.columns.has('UpdateDate') ? { UpdateDate: now } : {};
}

/**
 * @throws BadRequest for unknown columns, Misfit for a value its column cannot hold; so do
 * `updateOf` and `deleteOf`
 */
export function insertOf(endpoint: Endpoint, body: JsonObject): Statement {
  const { engine, table, now } = endpoint;
  const hub = hubOf(endpoint);
  const values = { ...valuesOf(table, ownBody(endpoint, body)), ...touched(endpoint) };
  if (hub !== null) values['HubID'] = hub;
  if (table.columns.has('CreateDate')) values['CreateDate'] = now;
  for (const column of table.columns.values()) {
    if (!column.isFallbackGiven && !Object.hasOwn(values, column.name))
      values[column.name] = column.fallback;
  }
  return insertRow(engine.kind, table, values);
}

/**
 * Updates the row with `id`, or else the id in the body; a soft-deleted row only if the body sets
 * Deleted.
 */
export function updateOf(endpoint: Endpoint, body: JsonObject, id: unknown): Statement {
  const { engine, table } = endpoint;
  const identity = identityColumnOf(table).name;
  const row = toId(table, id ?? body[identity]);
  const values = { ...valuesOf(table, ownBody(endpoint, body)), ...touched(endpoint) };
  const scope: RowScope = Object.hasOwn(body, 'Deleted') ? 'any' : 'live';
  // An empty body changes nothing and returns the row.
  return updateRow(
    engine.kind,
    table,
    row,
    Object.keys(values).length === 0 ? { [identity]: row } : values,
    scope,
    hubOf(endpoint),
  );
}

export function deleteOf(endpoint: Endpoint, id: unknown): Statement {
  const { engine, table } = endpoint;
  const row = toId(table, id);
  const hub = hubOf(endpoint);
  return table.columns.has('Deleted')
    ? updateRow(engine.kind, table, row, { Deleted: 1, ...touched(endpoint) }, 'live', hub)
    : removeRow(engine.kind, table, row, hub);
}
