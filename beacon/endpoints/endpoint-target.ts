/** Resolves a path to a connection, an enabled table and the rest, and answers the request. */
import { type EndpointAnswer, failure } from './answer.ts';
import type { DatabaseConnection, Connections } from '../databases/connections.ts';
import { mayHaveEndpoint } from '../engine/engine.ts';
import { endpointPath } from './endpoint-path.ts';
import { toTable } from '../engine/table.ts';
import { answerRoute } from './table-endpoints.ts';
import { type Form, isWriteRoute, routeOf } from './table-routes.ts';

export type EndpointTarget = {
  connection: DatabaseConnection;
  name: string;
  form: Form;
  rest: string[];
};

const notThere: EndpointAnswer = {
  status: 404,
  body: { Error: 'there is no such route', StatusCode: 404, Code: 'NOT_FOUND' },
};

/** Null when the path leads nowhere. Its parts stay percent-encoded. */
export function targetOf(connections: Connections, path: string): EndpointTarget | null {
  const { version, routeHash, segment, rest } = endpointPath(path);
  const connection = version === '1.0' ? connections.byRoute(routeHash) : null;
  const found = connection && tableIn(segment, connection.endpoints);
  return found ? { connection, rest, ...found } : null;
}

/**
 * The enabled table named by a part of the path, and its form. The beacon's own tables never have
 * an endpoint, even if somebody enabled one.
 */
function tableIn(
  segment: string,
  endpoints: ReadonlySet<string>,
): { name: string; form: Form } | null {
  const forms: { name: string; form: Form; suffix: string }[] = [
    { name: segment, form: 'one', suffix: '' },
    { name: segment.slice(0, -1), form: 'many', suffix: 's' },
    { name: segment.slice(0, -6), form: 'select', suffix: 'Select' },
  ];
  const found = forms.find(
    ({ name, suffix }) => segment.endsWith(suffix) && endpoints.has(name) && mayHaveEndpoint(name),
  );
  return found ? { name: found.name, form: found.form } : null;
}

export type EndpointCall = {
  verb: string;
  /** When false, the call was let through to read, and changes no row whatever its path means. */
  mayWrite: boolean;
  /** Parsed on first use. */
  body: () => unknown;
  /** Goes into the dates of rows. */
  now: string;
  /** The hub whose rows the call may reach; null for all. */
  hub: string | null;
};

/** Never throws. */
export async function answerTarget(
  target: EndpointTarget | null,
  { verb, mayWrite, body, now, hub }: EndpointCall,
): Promise<EndpointAnswer> {
  if (!target) return notThere;
  try {
    const { connection, name, form, rest } = target;
    const route = routeOf(verb, rest, form);
    if (isWriteRoute(route) && !mayWrite) return notThere;
    // Read again for each request, so that a column added a moment ago can be used.
    const [info] = await connection.engine.introspect([name]);
    if (!info) return notThere;
    const table = toTable(info, connection.defaults.get(name));
    return await answerRoute({ engine: connection.engine, table, now, hub }, route, body);
  } catch (error) {
    return failure(error);
  }
}
