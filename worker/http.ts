/** The operators' HTTP: probes, metrics, the two persistence routes, and the verbs of control as JSON. Home of the HTTP library. */
import type { AddressInfo } from 'node:net';
import { serve, type ServerType } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { messageOf, refusalStatus, TidemarkError, toRefusal } from '../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../contracts/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { Presence } from '../contracts/presence.ts';
import { bearsToken, type HttpAddress, isLoopback, unauthorized, urlOf } from '../runtime/http-access.ts';
import type { Control } from './control.ts';
import type { Metrics } from './metrics.ts';

export type HttpParts = {
  control: Control; metrics: Metrics;
  /** Why a write sent now would not be accepted; null when it would. */
  unready: () => string | null;
  health: () => object;
  beacons: () => Presence[];
  /** Needed for every changing call, and for every call from beyond loopback. */
  token: string;
};

async function bodyOf(context: Context): Promise<JsonObject> {
  try {
    const body: unknown = await context.req.json();
    if (isJsonObject(body)) return body;
  } catch (cause) {
    throw new TidemarkError('INVALID_MESSAGE', 'body: not readable as JSON', { cause });
  }
  throw new TidemarkError('INVALID_MESSAGE', 'body: expected an object');
}

function addProbes(app: Hono, parts: Pick<HttpParts, 'unready' | 'health'>): void {
  app.get('/livez', (context) => context.text('ok'));
  app.get('/readyz', (context) => {
    const reason = parts.unready();
    return reason === null ? context.text('ok') : context.text(reason, 503);
  });
  app.get('/healthz', (context) => context.json(parts.health(), 200, { 'Cache-Control': 'no-store' }));
}

function addPersistence(app: Hono, { control }: HttpParts): void {
  app.post('/Ultravisor/Persistence/Assign', async (context) => context.json(control.assign(await bodyOf(context))));
  app.get('/Ultravisor/Persistence/Status', (context) => {
    const { Queue, Manifest } = control.run('status', {}) as { Queue: object; Manifest: object };
    return context.json({ Queue, Manifest });
  });
}

function addApi(app: Hono, { control, beacons, metrics }: HttpParts): void {
  app.get('/metrics', async (context) => context.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }));
  app.get('/api/status', (context) => context.json(control.run('status', {}) as object));
  app.get('/api/hwm', (context) => context.json(control.run('hwm', {}) as object));
  app.get('/api/beacons', (context) => context.json({ Beacons: beacons() }));
  app.get('/api/beacons/:id/connections', (context) => {
    const id = context.req.param('id');
    const beacon = beacons().find((one) => one.BeaconID === id);
    if (!beacon) throw new TidemarkError('NOT_FOUND', `beacon ${id} is not there`);
    return context.json({ Connections: beacon.Connections });
  });
  app.get('/api/ops', async (context) => context.json(await control.run('ops', {}) as object));
  app.get('/api/journal', (context) => context.json(control.journal()));
  app.get('/api/dead-letters', (context) => context.json(control.deadLetters({ Verb: 'list' }) as object));
  app.get('/api/dead-letters/:seq', (context) => context.json(control.deadLetters({ Verb: 'show', Seq: Number(context.req.param('seq')) }) as object));
  app.post('/api/dead-letters/:seq/:verb{retry|drop}', (context) =>
    context.json(control.deadLetters({ Verb: context.req.param('verb'), Seq: Number(context.req.param('seq')) }) as object));
  app.get('/api/locate/:guid', (context) => {
    const location = control.locate(context.req.param('guid')) as { State: string };
    return context.json(location, location.State === 'unknown' ? 404 : 200);
  });
  app.post('/api/:verb{pause|resume|drain|clear}', (context) => context.json(control.run(context.req.param('verb'), {}) as object));
}

function appOf(parts: HttpParts, isOpen: boolean): Hono {
  const app = new Hono();
  app.use(bodyLimit({ maxSize: limits.httpBodyBytesMax, onError: (context) => context.json(toRefusal(new TidemarkError('TOO_LARGE', 'body: too large')), 413) }));
  app.use(async (context, next) => {
    const isReading = context.req.method === 'GET' || context.req.method === 'HEAD';
    if (!(isReading && isOpen) && !bearsToken(context.req.header('Authorization'), parts.token)) return context.json(unauthorized, 401);
    await next();
  });
  addProbes(app, parts);
  addPersistence(app, parts);
  addApi(app, parts);
  addErrors(app);
  return app;
}

/** Only the probes, while there is no store to tell of. */
function frozenAppOf(parts: Pick<HttpParts, 'unready' | 'health'>): Hono {
  const app = new Hono();
  addProbes(app, parts);
  addErrors(app);
  return app;
}

function addErrors(app: Hono): void {
  app.onError((error, context) => {
    const refusal = toRefusal(error);
    return context.json(refusal, refusalStatus[refusal.Code]);
  });
  app.notFound((context) => context.json({ Success: false, Code: 'NOT_FOUND', Reason: `there is no ${context.req.method} ${context.req.path}` }, 404));
}

export class HttpServer {
  readonly #server: ServerType;
  readonly url: string;

  private constructor(server: ServerType, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** Listens. @throws TidemarkError CONFIG_INVALID when the address cannot be bound */
  static listen(address: HttpAddress, parts: HttpParts): Promise<HttpServer> {
    // Reading without a token is for those who are on the machine anyway.
    return HttpServer.#listen(address, appOf(parts, isLoopback(address.host)));
  }

  /** The probes alone, for a worker that has no store yet. @throws TidemarkError CONFIG_INVALID when the address cannot be bound */
  static listenFrozen(address: HttpAddress, parts: Pick<HttpParts, 'unready' | 'health'>): Promise<HttpServer> {
    return HttpServer.#listen(address, frozenAppOf(parts));
  }

  static #listen({ host, port }: HttpAddress, app: Hono): Promise<HttpServer> {
    return new Promise((resolve, reject) => {
      const server = serve({ fetch: app.fetch, hostname: host, port }, (info: AddressInfo) => {
        resolve(new HttpServer(server, urlOf({ host, port }, info.port)));
      });
      server.once('error', (cause) => reject(new TidemarkError('CONFIG_INVALID', `--http ${host}:${port}: ${messageOf(cause)}`, { cause })));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      if ('closeAllConnections' in this.#server) this.#server.closeAllConnections();
    });
  }
}
