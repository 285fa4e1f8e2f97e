/** A listening HTTP server over an app: bounded connections, over TLS where there is a certificate, closed at once. */
import type { AddressInfo } from 'node:net';
import { serve, type ServerType } from '@hono/node-server';
import type { Hono } from 'hono';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type HttpAddress, type HttpSettings, urlOf } from '../../runtime/http-access.ts';
import { listening } from '../../runtime/http-listening.ts';

export class HttpServer {
  readonly #server: ServerType;
  readonly url: string;

  private constructor(server: ServerType, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** @throws TidemarkError CONFIG_INVALID when the address cannot be bound */
  static start(address: HttpAddress, settings: HttpSettings, app: Hono): Promise<HttpServer> {
    const { host, port } = address;
    return new Promise((resolve, reject) => {
      const server = serve({ fetch: app.fetch, hostname: host, port, ...listening(settings) }, (info: AddressInfo) => {
        resolve(new HttpServer(server, urlOf(address, info.port, settings.tls !== undefined)));
      });
      server.maxConnections = limits.httpConnectionsMax;
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
