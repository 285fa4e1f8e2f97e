/**
 * The beacon with the incumbent's quirks as the incumbent's HTTP server: its table endpoints and
 * those routes of management it has.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { QuirkyBeacon } from './quirky-beacon.ts';

type Reply = { status: number; body: unknown };
/** What was asked, for tests that look at headers. */
export type SeenRequest = {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
};

/**
 * Nothing but a route that is not there has another status than 200: what went wrong is in `Error`,
 * with `Success: false` or without it.
 */
function manage(beacon: QuirkyBeacon, method: string, path: string): Reply {
  try {
    return { status: 200, body: managed(beacon, method, path) };
  } catch (error) {
    if (error instanceof NoRoute)
      return { status: 404, body: { code: 'ResourceNotFound', message: `${path} does not exist` } };
    return { status: 200, body: { Success: false, Error: (error as Error).message } };
  }
}

class NoRoute extends Error {}

function managed(beacon: QuirkyBeacon, method: string, path: string): object {
  const [, , area = '', first = '', second = '', third = ''] = path.split('/');
  const settings = { IDBeaconConnection: Number(first), TableName: decodeURIComponent(second) };
  switch (`${method} ${area} ${area === 'endpoint' ? third : second}`.trim()) {
    case 'GET connections':
      return { Count: 1, Connections: beacon.connections() };
    case 'GET endpoints':
      return { Count: beacon.endpoints().length, Endpoints: beacon.endpoints() };
    case 'GET connection':
      return first === '1'
        ? { Connection: beacon.connections()[0] }
        : { Error: 'Connection not found' };
    case 'POST connection connect':
      if (first !== '1') throw new Error('Connection not found');
      beacon.connect();
      return { Success: true, Status: 'Connected', EndpointsRestored: 0 };
    case 'POST connection introspect':
      if (first !== '1') throw new Error('Connection is not live. Connect first.');
      // Its list has the numbers of columns, not the columns.
      return { Success: true, ...withoutColumns(beacon.introspect()) };
    case 'GET connection tables': {
      const { Tables } = withoutColumns(beacon.introspect());
      return { Count: Tables.length, Tables };
    }
    case 'GET connection table':
      return beacon.table(decodeURIComponent(third)) ?? { Error: 'Table not found' };
    case 'POST endpoint disable':
      return { Success: true, Result: beacon.disableEndpoint(settings) };
    case 'POST endpoint enable':
      return { Success: true, Endpoint: beacon.enableEndpoint(settings) };
    default:
      throw new NoRoute();
  }
}

function withoutColumns({ TableCount, Tables }: { TableCount: number; Tables: object[] }): {
  TableCount: number;
  Tables: object[];
} {
  return { TableCount, Tables: Tables.map((table) => ({ ...table, Columns: undefined })) };
}

/**
 * Listens on a port of 127.0.0.1; 0 takes a free one. `onRequest` hears of each request before it
 * is answered.
 */
export function listenQuirky(
  beacon: QuirkyBeacon,
  port: number,
  onRequest: (seen: SeenRequest) => void = () => undefined,
): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = 'GET', url: path = '/', headers } = request;
      const body = Buffer.concat(chunks).toString();
      onRequest({ method, path, headers, body });
      if (path.startsWith('/1.0/uv-external/moved'))
        return response.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' }).end();
      // Upserts in which every row failed: the counts are in the headers, and there alone.
      if (method === 'PUT' && path.endsWith('/Upserts')) {
        const total = String((JSON.parse(body) as unknown[]).length);
        const counts = {
          'X-Meadow-Upsert-Total': total,
          'X-Meadow-Upsert-Succeeded': '0',
          'X-Meadow-Upsert-Errored': total,
        };
        return response.writeHead(200, { 'content-type': 'application/json', ...counts }).end('[]');
      }
      const reply = path.startsWith('/1.0/')
        ? beacon.request(method, path, body)
        : manage(beacon, method, path);
      response
        .writeHead(reply.status, { 'content-type': 'application/json' })
        .end(JSON.stringify(reply.body));
    });
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
