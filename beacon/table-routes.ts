/** Paths of a table endpoint: what a method and the part of the path behind the table ask for. */
import { bounds } from './bounds.ts';
import { BadRequest, decodePart, emptyFilter, equals, type Filter, parseFilter } from './filter.ts';

export type Route =
  | { op: 'create' | 'create-many' | 'update-many' }
  | { op: 'read' | 'undelete'; id: string }
  /** Without an id it stands in the body. */
  | { op: 'update' | 'delete'; id: string | null }
  | { op: 'count'; filter: Filter }
  | { op: 'list'; filter: Filter; begin: number; cap: number }
  | { op: 'none' }
  | { op: 'wrong-method' };

const knownMethods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'DELETE']);

/** HEAD reads like GET, PATCH changes like PUT. */
function plainMethod(method: string): string {
  if (method === 'HEAD') return 'GET';
  return method === 'PATCH' ? 'PUT' : method;
}

/** `rest` are the parts behind the table, still percent-encoded. @throws BadRequest */
export function routeOf(method: string, rest: readonly string[], isPlural: boolean): Route {
  const plain = plainMethod(method);
  if (!knownMethods.has(plain)) return { op: 'wrong-method' };
  return isPlural ? pluralRoute(plain, rest) : singularRoute(plain, rest);
}

function singularRoute(method: string, rest: readonly string[]): Route {
  const [first, second] = rest;
  if (rest.length === 2 && first === 'Undelete' && second) return method === 'GET' ? { op: 'undelete', id: decodePart(second) } : { op: 'wrong-method' };
  if (rest.length > 1) return { op: 'none' };
  const id = first === undefined || first === '' ? null : decodePart(first);
  switch (method) {
    case 'GET':
      return id === null ? { op: 'wrong-method' } : { op: 'read', id };
    case 'POST':
      return id === null ? { op: 'create' } : { op: 'wrong-method' };
    case 'PUT':
      return { op: 'update', id };
    default:
      return { op: 'delete', id };
  }
}

function pluralRoute(method: string, rest: readonly string[]): Route {
  if (method !== 'GET') {
    if (rest.length > 0) return { op: 'none' };
    if (method === 'POST') return { op: 'create-many' };
    return method === 'PUT' ? { op: 'update-many' } : { op: 'wrong-method' };
  }
  const isCount = rest[0] === 'Count';
  const found = filterPart(isCount ? rest.slice(1) : rest);
  if (found === null) return { op: 'none' };
  const { filter, tail } = found;
  if (isCount) return tail.length === 0 ? { op: 'count', filter } : { op: 'none' };
  if (tail.length !== 0 && tail.length !== 2) return { op: 'none' };
  const [begin = '0', cap = String(bounds.pageRowsDefault)] = tail;
  return { op: 'list', filter, begin: numberPart(begin), cap: Math.min(numberPart(cap), bounds.pageRowsMax) };
}

function filterPart(rest: readonly string[]): { filter: Filter; tail: readonly string[] } | null {
  const [first, second, third] = rest;
  if (first === 'FilteredTo') return second === undefined ? null : { filter: parseFilter(second), tail: rest.slice(2) };
  if (first === 'By') return second === undefined || third === undefined ? null : { filter: equals(decodePart(second), decodePart(third)), tail: rest.slice(3) };
  return { filter: emptyFilter(), tail: rest };
}

function numberPart(part: string): number {
  if (!/^\d{1,15}$/.test(part)) throw new BadRequest(`begin and cap are numbers, not ${part.slice(0, 40)}`);
  return Number(part);
}
