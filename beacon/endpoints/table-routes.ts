/** Routes of a table endpoint: what a method, and the part of the path after the table, ask for. */
import { bounds } from '../bounds.ts';
import { endpointPath, isPlain, wordsSeen } from './endpoint-path.ts';
import {
  BadRequest,
  decodePart,
  emptyFilter,
  equals,
  type Filter,
  parseFilter,
} from '../sql/filter.ts';

type Page = { filter: Filter; begin: number; cap: number };

export type WriteRoute =
  | { op: 'create' | 'create-many' | 'update-many' | 'upsert' }
  | { op: 'upsert-many'; isDetailed: boolean }
  /** A null id means that it is in the body. */
  | { op: 'update' | 'delete'; id: string | null }
  | { op: 'undelete'; id: string };

export type ReadRoute =
  | { op: 'schema' | 'schema-new' | 'validate' }
  | { op: 'read'; id: string }
  | { op: 'max'; column: string }
  | { op: 'count'; filter: Filter }
  | ({ op: 'list' | 'select' } & Page)
  | ({ op: 'lite' | 'distinct'; columns: string[] } & Page)
  | { op: 'none' }
  | { op: 'wrong-method' };

export type TableRoute = WriteRoute | ReadRoute;

const writing: ReadonlySet<string> = new Set([
  'create',
  'create-many',
  'update',
  'update-many',
  'upsert',
  'upsert-many',
  'delete',
  'undelete',
] satisfies WriteRoute['op'][]);

export function isWriteRoute(route: TableRoute): route is WriteRoute {
  return writing.has(route.op);
}

/** How the path names the table: `T`, `Ts` or `TSelect`. */
export type Form = 'one' | 'many' | 'select';

const knownMethods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'DELETE']);
const none: TableRoute = { op: 'none' };
const wrongMethod: TableRoute = { op: 'wrong-method' };

/** HEAD is treated as GET, PATCH as PUT. */
function plainMethod(method: string): string {
  if (method === 'HEAD') return 'GET';
  return method === 'PATCH' ? 'PUT' : method;
}

const formsOfTable: readonly Form[] = ['one', 'many', 'select'];

/**
 * False if the request may change rows. Every gate uses this answer, which comes from the routes
 * themselves. A fronted server has routes of its own, so whatever it might take for a write counts
 * as one.
 */
export function isReading(method: string, path: string): boolean {
  const { rest } = endpointPath(path);
  const routes = formsOfTable.map((form) => routeOrNone(method, rest, form));
  if (routes.some(isWriteRoute)) return false;
  if (method === 'POST') return isPlain(path) && routes.some(({ op }) => op === 'validate');
  const [, , , word = ''] = wordsSeen(path);
  return (method === 'GET' || method === 'HEAD') && word.toLowerCase() !== 'undelete';
}

/** What cannot be decoded is refused, so it changes nothing. */
function routeOrNone(method: string, rest: readonly string[], form: Form): TableRoute {
  try {
    return routeOf(method, rest, form);
  } catch {
    return none;
  }
}

/**
 * `rest` are the path's parts after the table, still percent-encoded.
 * @throws BadRequest
 */
export function routeOf(method: string, rest: readonly string[], form: Form): TableRoute {
  const plain = plainMethod(method);
  if (!knownMethods.has(plain)) return wrongMethod;
  if (form === 'one') return singularRoute(plain, rest);
  if (form === 'select')
    return plain === 'GET' ? withPage(rest, (page) => ({ op: 'select', ...page })) : wrongMethod;
  return plain === 'GET' ? listRoute(rest) : bulkRoute(plain, rest);
}

/** Reserved words after the table, each with its only method. */
const named: Readonly<Record<string, readonly [method: string, route: TableRoute]>> = {
  Upsert: ['PUT', { op: 'upsert' }],
  Upserts: ['PUT', { op: 'upsert-many', isDetailed: false }],
  'Upserts/Detailed': ['PUT', { op: 'upsert-many', isDetailed: true }],
  Schema: ['GET', { op: 'schema' }],
  'Schema/New': ['GET', { op: 'schema-new' }],
  'Schema/Validate': ['POST', { op: 'validate' }],
};

function singularRoute(method: string, rest: readonly string[]): TableRoute {
  const path = rest.join('/');
  const known = Object.hasOwn(named, path) ? named[path] : undefined;
  if (known) return method === known[0] ? known[1] : wrongMethod;
  const [first, second] = rest;
  if (rest.length === 2 && second && (first === 'Undelete' || first === 'Max')) {
    if (method !== 'GET') return wrongMethod;
    return first === 'Max'
      ? { op: 'max', column: decodePart(second) }
      : { op: 'undelete', id: decodePart(second) };
  }
  if (rest.length > 1) return none;
  const id = first === undefined || first === '' ? null : decodePart(first);
  switch (method) {
    case 'GET':
      return id === null ? wrongMethod : { op: 'read', id };
    case 'POST':
      return id === null ? { op: 'create' } : wrongMethod;
    case 'PUT':
      return { op: 'update', id };
    default:
      return { op: 'delete', id };
  }
}

function bulkRoute(method: string, rest: readonly string[]): TableRoute {
  if (rest.length > 0) return none;
  if (method === 'POST') return { op: 'create-many' };
  return method === 'PUT' ? { op: 'update-many' } : wrongMethod;
}

function listRoute(rest: readonly string[]): TableRoute {
  const [first, second] = rest;
  switch (first) {
    case 'Count': {
      const found = filterPart(rest.slice(1));
      return found?.tail.length === 0 ? { op: 'count', filter: found.filter } : none;
    }
    case 'Lite':
      return withPage(rest.slice(1), (page) => ({ op: 'lite', columns: [], ...page }));
    case 'LiteExtended':
      return second
        ? withPage(rest.slice(2), (page) => ({ op: 'lite', columns: columnsPart(second), ...page }))
        : none;
    case 'Distinct':
      return second
        ? withPage(rest.slice(2), (page) => ({
            op: 'distinct',
            columns: columnsPart(second),
            ...page,
          }))
        : none;
    default:
      return withPage(rest, (page) => ({ op: 'list', ...page }));
  }
}

function withPage(rest: readonly string[], toRoute: (page: Page) => TableRoute): TableRoute {
  const found = filterPart(rest);
  if (found === null || (found.tail.length !== 0 && found.tail.length !== 2)) return none;
  const [begin = '0', cap = String(bounds.pageRowsDefault)] = found.tail;
  return toRoute({
    filter: found.filter,
    begin: numberPart(begin),
    cap: Math.min(numberPart(cap), bounds.pageRowsMax),
  });
}

function filterPart(rest: readonly string[]): { filter: Filter; tail: readonly string[] } | null {
  const [first, second, third] = rest;
  if (first === 'FilteredTo')
    return second === undefined ? null : { filter: parseFilter(second), tail: rest.slice(2) };
  if (first === 'By')
    return second === undefined || third === undefined
      ? null
      : { filter: equals(decodePart(second), decodePart(third)), tail: rest.slice(3) };
  return { filter: emptyFilter(), tail: rest };
}

/** A comma within a name is sent as %2C, so the list is split before decoding. */
function columnsPart(part: string): string[] {
  return [...new Set(part.split(',').map(decodePart))];
}

function numberPart(part: string): number {
  if (!/^\d{1,15}$/.test(part))
    throw new BadRequest(`begin and cap are numbers, not ${part.slice(0, 40)}`);
  return Number(part);
}
