/**
 * Table endpoints: turns a routed request into statements, and their results into a status and a
 * JSON body.
 */
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { type EndpointAnswer, errorBody, failure, notFound } from './answer.ts';
import { type Statement, StatementFault } from '../engine/engine.ts';
import { emptyFilter, equals, type Filter } from '../sql/filter.ts';
import {
  deleteOf,
  type Endpoint,
  endpointRows,
  execute,
  hubOf,
  insertOf,
  listBody,
  objectBody,
  toId,
  touched,
  updateOf,
  within,
} from './row-statements.ts';
import { columnOf, identityColumnOf } from '../sql/conditions.ts';
import { countMatching, type Page, type RowShape, selectRows } from '../sql/row-reads.ts';
import { updateRow } from '../sql/row-writes.ts';
import { isWriteRoute, type ReadRoute, type TableRoute, type WriteRoute } from './table-routes.ts';
import {
  emptyRowOf,
  liteColumnsOf,
  liteRowOf,
  schemaOf,
  titleOf,
  validate,
} from './table-schema.ts';
import { upsertMany, upsertOne } from './upsert.ts';

/** Runs a route. `body` is parsed on first use. Never throws. */
export async function answerRoute(
  endpoint: Endpoint,
  route: TableRoute,
  body: () => unknown,
): Promise<EndpointAnswer> {
  try {
    return await (isWriteRoute(route) ? write(endpoint, route, body) : read(endpoint, route, body));
  } catch (error) {
    return failure(error);
  }
}

function write(
  endpoint: Endpoint,
  route: WriteRoute,
  body: () => unknown,
): Promise<EndpointAnswer> {
  const { engine, table } = endpoint;
  switch (route.op) {
    case 'create':
      return one(endpoint, insertOf(endpoint, objectBody(body())));
    case 'create-many':
      return many(endpoint, listBody(body()), (row) => insertOf(endpoint, row));
    case 'update':
      return one(endpoint, updateOf(endpoint, objectBody(body()), route.id));
    case 'update-many':
      return many(endpoint, listBody(body()), (row) => updateOf(endpoint, row, null));
    case 'upsert':
      return upsertOne(endpoint, objectBody(body()));
    case 'upsert-many': {
      const columns = liteColumnsOf(table, []);
      return upsertMany(endpoint, listBody(body()), route.isDetailed, (row) =>
        liteRowOf(table, row, columns),
      );
    }
    case 'delete':
      return counted(
        endpoint,
        deleteOf(endpoint, route.id ?? objectBody(body())[identityColumnOf(table).name]),
      );
    case 'undelete':
      return counted(
        endpoint,
        updateRow(
          engine.kind,
          table,
          toId(table, route.id),
          { [columnOf(table, 'Deleted').name]: 0, ...touched(endpoint) },
          'deleted',
          hubOf(endpoint),
        ),
      );
  }
}

async function read(
  endpoint: Endpoint,
  route: ReadRoute,
  body: () => unknown,
): Promise<EndpointAnswer> {
  const { engine, table } = endpoint;
  switch (route.op) {
    case 'none':
      return refused(404, 'NOT_FOUND', 'there is no such route');
    case 'wrong-method':
      return refused(405, 'WRONG_METHOD', 'the method is not allowed for this path');
    case 'read': {
      const byId = equals(identityColumnOf(table).name, String(toId(table, route.id)));
      return one(
        endpoint,
        selectRows(engine.kind, table, within(endpoint, byId), { begin: 0, cap: 1 }),
      );
    }
    case 'list':
      return list(endpoint, route, {});
    case 'distinct':
      return list(endpoint, route, { columns: route.columns, isDistinct: true });
    case 'lite': {
      const columns = liteColumnsOf(table, route.columns);
      return list(endpoint, route, { columns }, (row) => liteRowOf(table, row, columns));
    }
    case 'select': {
      const { name } = identityColumnOf(table);
      return list(endpoint, route, { columns: [name] }, (row) => ({
        Hash: row[name],
        Value: titleOf(table, row),
      }));
    }
    case 'max':
      return highest(endpoint, route.column);
    case 'count': {
      const [row] = await endpointRows(
        endpoint,
        countMatching(engine.kind, table, within(endpoint, route.filter)),
      );
      return ok({ Count: Number(row?.['Count'] ?? 0) });
    }
    case 'schema':
      return ok(schemaOf(table));
    case 'schema-new':
      return ok(emptyRowOf(table));
    case 'validate':
      return ok(validate(table, objectBody(body())));
  }
}

async function list(
  endpoint: Endpoint,
  page: Page & { filter: Filter },
  shape: RowShape,
  toItem?: (row: Record<string, unknown>) => object,
): Promise<EndpointAnswer> {
  const { engine, table } = endpoint;
  const rows = await endpointRows(
    endpoint,
    selectRows(engine.kind, table, within(endpoint, page.filter), page, shape),
  );
  return ok(toItem ? rows.map(toItem) : rows);
}

function refused(status: number, code: string, reason: string): EndpointAnswer {
  return { status, body: { Error: reason, StatusCode: status, Code: code } };
}

function ok(body: unknown): EndpointAnswer {
  return { status: 200, body };
}

/** The row with the highest value of a column; an empty object when there is none. */
async function highest(endpoint: Endpoint, column: string): Promise<EndpointAnswer> {
  const filter = emptyFilter();
  // Engines sort null differently.
  filter.where.any = [
    [{ kind: 'term', column: columnOf(endpoint.table, column).name, operator: 'NN', values: [] }],
  ];
  filter.sort.push({ column, isDescending: true });
  const [row] = await endpointRows(
    endpoint,
    selectRows(endpoint.engine.kind, endpoint.table, within(endpoint, filter), {
      begin: 0,
      cap: 1,
    }),
  );
  return ok(row ?? {});
}

async function one(endpoint: Endpoint, statement: Statement): Promise<EndpointAnswer> {
  const {
    rows: [row],
  } = await execute(endpoint, statement);
  return row ? ok(row) : { status: 404, body: notFound };
}

async function counted(endpoint: Endpoint, statement: Statement): Promise<EndpointAnswer> {
  const { changes } = await execute(endpoint, statement);
  return changes > 0 ? ok({ Count: changes }) : { status: 404, body: notFound };
}

/** Rows in the order of the input; a refused row is returned as it was sent, with its Error. */
async function many(
  endpoint: Endpoint,
  rows: JsonObject[],
  toStatement: (row: JsonObject) => Statement,
): Promise<EndpointAnswer> {
  const statements: Statement[] = [];
  const faults = rows.map((row) => {
    try {
      statements.push(toStatement(row));
      return null;
    } catch (error) {
      return errorBody(error);
    }
  });
  const results = statements.length === 0 ? [] : await endpoint.engine.execute(statements);
  let next = 0;
  const body = rows.map((row, at) => {
    if (faults[at] !== null) return { ...row, Error: faults[at] };
    const result = results[next++];
    if (result instanceof StatementFault) return { ...row, Error: errorBody(result) };
    return result?.rows[0] ?? { ...row, Error: notFound };
  });
  return ok(body);
}
