/**
 * A listening HTTP server over an app: bounded in connections, time and size, over TLS where there
 * is a certificate. The worker's and the databeacon's are both one of these.
 */
import { createServer, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type HttpBindings, serve, type ServerType } from '@hono/node-server';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type HttpAddress, type HttpSettings, urlOf } from './http-access.ts';
import { SocketRoom } from './socket-room.ts';

/**
 * Whoever sends its headers or body slowly is cut off, so that it holds a connection no longer than
 * a few seconds.
 */
const bounded: ServerOptions = {
  headersTimeout: limits.httpHeadersMs,
  requestTimeout: limits.httpRequestMs,
  connectionsCheckingInterval: limits.httpLookMs,
  maxHeaderSize: limits.httpHeaderBytesMax,
};

/**
 * Only what a server of Node's asks of an app, so that an app with bindings of its own is one too.
 */
type App = { fetch: Parameters<typeof serve>[0]['fetch'] };

const busy = { Success: false, Code: 'OVERLOADED', Reason: 'too many connections' } as const;

export class HttpListener {
  readonly #server: ServerType;
  readonly url: string;

  private constructor(server: ServerType, url: string) {
    this.#server = server;
    this.url = url;
  }

  /**
   * `more` are bounds of one process beside those of both.
   * @throws TidemarkError CONFIG_INVALID when the address cannot be bound
   */
  static start(
    address: HttpAddress,
    { tls }: Pick<HttpSettings, 'tls'>,
    app: App,
    more: ServerOptions = {},
  ): Promise<HttpListener> {
    const { host, port } = address;
    return new Promise((resolve, reject) => {
      let room: SocketRoom | null = null;
      const fetch: App['fetch'] = (request, env) =>
        room?.isTooMany((env as HttpBindings).incoming)
          ? Response.json(busy, {
              status: 503,
              headers: { Connection: 'close', 'Retry-After': '1' },
            })
          : app.fetch(request, env);
      const options = {
        createServer: tls ? createTlsServer : createServer,
        serverOptions: { ...bounded, ...more, ...tls },
      };
      const server = serve({ fetch, hostname: host, port, ...options }, (info: AddressInfo) => {
        resolve(new HttpListener(server, urlOf(address, info.port, tls !== undefined)));
      }) as Server;
      server.timeout = limits.httpSilentMs;
      room = new SocketRoom(server);
      server.once('error', (cause) =>
        reject(
          new TidemarkError('CONFIG_INVALID', `--http ${host}:${port}: ${messageOf(cause)}`, {
            cause,
          }),
        ),
      );
    });
  }

  /** Takes no more connections; resolves when the requests in flight are answered. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Cuts what is still open; resolves when nothing is. */
  close(): Promise<void> {
    const drained = this.drain();
    if ('closeAllConnections' in this.#server) this.#server.closeAllConnections();
    return drained;
  }
}
