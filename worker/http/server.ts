/** The operators' HTTP server: who may call, how large a call may be, and which routes there are. */
import type { AddressInfo } from 'node:net';
import { serve, type ServerType } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { messageOf, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { bearsToken, type HttpAddress, isLoopback, unauthorized, urlOf } from '../../runtime/http-access.ts';
import { addErrors } from './answers.ts';
import { addApi, addPersistence, type ApiParts } from './api.ts';
import { addConsole, addPage, type ConsoleParts } from './console.ts';
import { addProbes, type ProbeParts } from './probes.ts';

export type HttpParts = ApiParts & ProbeParts & ConsoleParts & {
  /** Needed for every changing call, and for every call from beyond loopback. */
  token: string;
};

function appOf(parts: HttpParts, isOpen: boolean): Hono {
  const app = new Hono();
  app.use(bodyLimit({ maxSize: limits.httpBodyBytesMax, onError: (context) => context.json(toRefusal(new TidemarkError('TOO_LARGE', 'body: too large')), 413) }));
  addPage(app);
  app.use(async (context, next) => {
    const isReading = context.req.method === 'GET' || context.req.method === 'HEAD';
    if (!(isReading && isOpen) && !bearsToken(context.req.header('Authorization'), parts.token)) return context.json(unauthorized, 401);
    await next();
  });
  addProbes(app, parts);
  addPersistence(app, parts);
  addApi(app, parts);
  addConsole(app, parts);
  addErrors(app);
  return app;
}

/** Only the probes, while there is no store to tell of. */
function frozenAppOf(parts: ProbeParts): Hono {
  const app = new Hono();
  addProbes(app, parts);
  addErrors(app);
  return app;
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
  static listenFrozen(address: HttpAddress, parts: ProbeParts): Promise<HttpServer> {
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
