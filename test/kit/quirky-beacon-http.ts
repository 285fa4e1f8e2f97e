/** The beacon with the incumbent's quirks as the incumbent's HTTP server: its table endpoints and those routes of management it has. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { QuirkyBeacon } from './quirky-beacon.ts';

type Reply = { status: number; body: unknown };
/** What was asked, for tests that look at headers. */
export type SeenRequest = { method: string; path: string; headers: IncomingMessage['headers']; body: string };

function manage(beacon: QuirkyBeacon, method: string, path: string): Reply {
  const [, , area = '', first = '', second = '', third = ''] = path.split('/');
  const route = `${method} ${area}`;
  if (route === 'GET connections') return { status: 200, body: { Count: 1, Connections: beacon.connections() } };
  if (route === 'POST connection' && second === 'introspect') return { status: 200, body: { Success: true, ...beacon.introspect() } };
  if (route === 'GET connection' && second === '') return { status: 200, body: { Connection: beacon.connections()[0] } };
  if (route === 'GET connection' && second === 'tables') {
    const { Tables } = beacon.introspect();
    return { status: 200, body: { Count: Tables.length, Tables } };
  }
  if (route === 'GET connection' && second === 'table') {
    const table = beacon.table(decodeURIComponent(third));
    return table ? { status: 200, body: table } : { status: 404, body: { Error: 'Table not found' } };
  }
  if (route === 'POST endpoint') {
    const settings = { IDBeaconConnection: Number(first), TableName: decodeURIComponent(second) };
    try {
      if (third === 'disable') return { status: 200, body: { Success: true, Result: beacon.disableEndpoint(settings) } };
      return { status: 200, body: { Success: true, Endpoint: beacon.enableEndpoint(settings) } };
    } catch (error) {
      return { status: 200, body: { Success: false, Error: (error as Error).message } };
    }
  }
  return { status: 404, body: { code: 'ResourceNotFound', message: `${path} does not exist` } };
}

/** Listens on a port of 127.0.0.1; 0 takes a free one. `onRequest` hears of each request before it is answered. */
export function listenQuirky(beacon: QuirkyBeacon, port: number, onRequest: (seen: SeenRequest) => void = () => undefined): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = 'GET', url: path = '/', headers } = request;
      const body = Buffer.concat(chunks).toString();
      onRequest({ method, path, headers, body });
      if (path.startsWith('/1.0/uv-external/moved')) return response.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' }).end();
      const reply = path.startsWith('/1.0/') ? beacon.request(method, path, body) : manage(beacon, method, path);
      response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
    });
  });
  return new Promise((resolve) => { server.listen(port, '127.0.0.1', () => resolve(server)); });
}
