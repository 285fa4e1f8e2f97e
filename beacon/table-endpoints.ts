/** Table endpoints: a routed request becomes statements, their results a status and a JSON body. */
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../contracts/json-value.ts';
import type { Scalar } from '../contracts/schema.ts';
import { bounds } from './bounds.ts';
import { type Engine, type Statement, StatementFault, type StatementResult } from './engine.ts';
import { BadRequest, equals } from './filter.ts';
import { columnOf, countRows, identityOf, insertRow, removeRow, type RowScope, selectRows, updateRow } from './sql-builder.ts';
import { type Column, Misfit, type Table, toStored } from './table.ts';
import type { Route } from './table-routes.ts';

/** A table of an engine at the time of one request; `now` goes into CreateDate and UpdateDate. */
export type Endpoint = { engine: Engine; table: Table; now: string };
export type Answer = { status: number; body: unknown };

/** Runs a route. `body` is the request's, parsed when first asked for. Never throws. */
export async function answerRoute(endpoint: Endpoint, route: Route, body: () => unknown): Promise<Answer> {
  try {
    return await run(endpoint, route, body);
  } catch (error) {
    return failure(error);
  }
}

function run(endpoint: Endpoint, route: Route, body: () => unknown): Promise<Answer> | Answer {
  const { engine, table } = endpoint;
  switch (route.op) {
    case 'none':
      return { status: 404, body: { Error: 'there is no such route', StatusCode: 404 } };
    case 'wrong-method':
      return { status: 405, body: { Error: 'the method does not go with this path', StatusCode: 405 } };
    case 'read':
      return readOne(endpoint, toId(table, route.id));
    case 'list':
      return rowsOf(endpoint, selectRows(engine.kind, table, route.filter, route)).then((rows) => ({ status: 200, body: rows }));
    case 'count':
      return rowsOf(endpoint, countRows(engine.kind, table, route.filter)).then((rows) => ({ status: 200, body: { Count: Number(rows[0]?.['Count'] ?? 0) } }));
    case 'create':
      return one(endpoint, insertOf(endpoint, objectBody(body())));
    case 'create-many':
      return many(endpoint, listBody(body()), (row) => insertOf(endpoint, row));
    case 'update':
      return one(endpoint, updateOf(endpoint, objectBody(body()), route.id));
    case 'update-many':
      return many(endpoint, listBody(body()), (row) => updateOf(endpoint, row, null));
    case 'delete':
      return counted(endpoint, deleteOf(endpoint, route.id ?? objectBody(body())[identityOf(table).name]));
    case 'undelete':
      return counted(endpoint, updateRow(engine.kind, table, toId(table, route.id), { [columnOf(table, 'Deleted').name]: 0, ...touched(endpoint) }, 'deleted'));
  }
}

/** Any error as a status and the body meadow's clients look into. */
export function failure(error: unknown): Answer {
  const of = (status: number, code: string) => ({ status, body: { Error: messageOf(error), StatusCode: status, Code: code } });
  if (error instanceof BadRequest) return of(400, 'BAD_REQUEST');
  if (error instanceof Misfit) return of(422, 'MISFIT');
  if (error instanceof StatementFault) return of({ unique: 409, misfit: 422, other: 500 }[error.kind], error.code);
  if (error instanceof TidemarkError && error.code === 'UNAVAILABLE') return of(503, error.code);
  if (error instanceof TidemarkError && error.code === 'TOO_LARGE') return of(413, error.code);
  return of(500, 'INTERNAL');
}

async function execute(endpoint: Endpoint, statement: Statement): Promise<StatementResult> {
  const [result] = await endpoint.engine.execute([statement]);
  if (!result) throw new TidemarkError('INTERNAL', 'the engine gave no result');
  if (result instanceof StatementFault) throw result;
  return result;
}

async function rowsOf(endpoint: Endpoint, statement: Statement): Promise<Record<string, unknown>[]> {
  return (await execute(endpoint, statement)).rows;
}

const notFound = { Error: 'Record not Found', StatusCode: 404 };

async function one(endpoint: Endpoint, statement: Statement): Promise<Answer> {
  const [row] = await rowsOf(endpoint, statement);
  return row ? { status: 200, body: row } : { status: 404, body: notFound };
}

async function counted(endpoint: Endpoint, statement: Statement): Promise<Answer> {
  const rows = await rowsOf(endpoint, statement);
  return rows.length > 0 ? { status: 200, body: { Count: rows.length } } : { status: 404, body: notFound };
}

function readOne(endpoint: Endpoint, id: Scalar): Promise<Answer> {
  const { engine, table } = endpoint;
  return one(endpoint, selectRows(engine.kind, table, equals(identityOf(table).name, String(id)), { begin: 0, cap: 1 }));
}

/** Rows in the order of the input; a refused one comes back as it was sent, with its Error. */
async function many(endpoint: Endpoint, rows: JsonObject[], toStatement: (row: JsonObject) => Statement): Promise<Answer> {
  const statements: Statement[] = [];
  const faults = rows.map((row) => {
    try {
      statements.push(toStatement(row));
      return null;
    } catch (error) {
      return failure(error).body;
    }
  });
  const results = await endpoint.engine.execute(statements);
  let next = 0;
  const body = rows.map((row, at) => {
    if (faults[at] !== null) return { ...row, Error: faults[at] };
    const result = results[next++];
    if (result instanceof StatementFault) return { ...row, Error: failure(result).body };
    return result?.rows[0] ?? { ...row, Error: notFound };
  });
  return { status: 200, body };
}

function objectBody(body: unknown): JsonObject {
  if (isJsonObject(body)) return body;
  throw new BadRequest('the body is not a JSON object');
}

function listBody(body: unknown): JsonObject[] {
  if (!Array.isArray(body)) throw new BadRequest('the body is not a JSON array');
  if (body.length > bounds.arrayRowsMax) throw new BadRequest(`the body has ${body.length} rows, at most ${bounds.arrayRowsMax}`);
  return body.map(objectBody);
}

function toId(table: Table, id: unknown): Scalar {
  const column = identityOf(table);
  if (id === undefined || id === null || id === '') throw new BadRequest(`no ${column.name} was given`);
  try {
    return toStored(id, column);
  } catch (error) {
    throw new BadRequest(messageOf(error));
  }
}

/** The columns a body gives, as they are stored. The numbering column and the dates are not the sender's. */
function valuesOf(table: Table, body: JsonObject): Record<string, Scalar> {
  const unknown = Object.keys(body).filter((name) => !table.columns.has(name));
  if (unknown.length > 0) throw new BadRequest(`table ${table.name} has no column ${unknown.join(', ').slice(0, bounds.reasonCharsMax)}`);
  const values: Record<string, Scalar> = {};
  for (const [name, value] of Object.entries(body)) {
    const column = table.columns.get(name) as Column;
    if (!column.isIdentity && name !== 'CreateDate' && name !== 'UpdateDate') values[name] = toStored(value, column);
  }
  return values;
}

function touched({ table, now }: Endpoint): Record<string, Scalar> {
  return table.columns.has('UpdateDate') ? { UpdateDate: now } : {};
}

function insertOf(endpoint: Endpoint, body: JsonObject): Statement {
  const { engine, table, now } = endpoint;
  const values = { ...valuesOf(table, body), ...touched(endpoint) };
  if (table.columns.has('CreateDate')) values['CreateDate'] = now;
  for (const column of table.columns.values()) {
    if (!column.isFallbackGiven && !Object.hasOwn(values, column.name)) values[column.name] = column.fallback;
  }
  return insertRow(engine.kind, table, values);
}

function updateOf(endpoint: Endpoint, body: JsonObject, id: string | null): Statement {
  const { engine, table } = endpoint;
  const identity = identityOf(table).name;
  const row = toId(table, id ?? body[identity]);
  const values = { ...valuesOf(table, body), ...touched(endpoint) };
  const scope: RowScope = Object.hasOwn(body, 'Deleted') ? 'any' : 'live';
  // A body that gives nothing changes nothing, and is answered with the row.
  return updateRow(engine.kind, table, row, Object.keys(values).length === 0 ? { [identity]: row } : values, scope);
}

function deleteOf(endpoint: Endpoint, id: unknown): Statement {
  const { engine, table } = endpoint;
  const row = toId(table, id);
  return table.columns.has('Deleted') ? updateRow(engine.kind, table, row, { Deleted: 1, ...touched(endpoint) }, 'live') : removeRow(engine.kind, table, row);
}
