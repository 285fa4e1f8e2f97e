/** How an HTTP server of ours takes connections: bounded in time and size, and over TLS where there is a certificate. */
import { createServer, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { limits } from '../contracts/limits.ts';
import type { HttpSettings } from './http-access.ts';

/** Whoever sends its headers or body slowly is cut off, so that it holds a connection no longer than a few seconds. */
const bounded: ServerOptions = {
  headersTimeout: limits.httpHeadersMs, requestTimeout: limits.httpRequestMs, connectionsCheckingInterval: limits.httpLookMs, maxHeaderSize: limits.httpHeaderBytesMax,
};

/** Options for the server of the HTTP library; `more` are those of one process. */
export function listening({ tls }: Pick<HttpSettings, 'tls'>, more: ServerOptions = {}) {
  if (!tls) return { createServer, serverOptions: { ...bounded, ...more } };
  return { createServer: createTlsServer, serverOptions: { ...bounded, ...more, ...tls } };
}
