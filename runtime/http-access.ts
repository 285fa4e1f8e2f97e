/** Who may call the HTTP interface of a process, and where it listens: one rule for the worker and the databeacon. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { TidemarkError } from '../contracts/errors.ts';

export type HttpAddress = { host: string; port: number };

/** Splits `host:port`; port 0 takes a free one. @throws TidemarkError CONFIG_INVALID, also beyond loopback without a token of the operator's */
export function decodeAddress(address: string, hasOwnToken: boolean): HttpAddress {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '') || '127.0.0.1';
  const port = Number(address.slice(at + 1));
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new TidemarkError('CONFIG_INVALID', `--http ${address}: expected host:port`);
  if (!isLoopback(host) && !hasOwnToken) throw new TidemarkError('CONFIG_INVALID', `--http ${address} is reachable from outside: set TIDEMARK_TOKEN, or bind 127.0.0.1`);
  return { host, port };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function isSameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Whether the header `Authorization` bears the token, compared in a time that tells nothing. */
export function bearsToken(authorization: string | undefined, token: string): boolean {
  return isSameText(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '', token);
}

/** What is answered to a call without it, with status 401. */
export const unauthorized = {
  Success: false, Code: 'UNAUTHORIZED',
  Reason: 'this call needs the header Authorization: Bearer <token>, with TIDEMARK_TOKEN or what stands in the file token of the data directory',
} as const;

/** The URL of a listening server. */
export function urlOf({ host }: HttpAddress, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
