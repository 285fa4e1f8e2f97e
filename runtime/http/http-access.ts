/**
 * Who may call the HTTP interface of a process, and where it listens: the same rules for the worker
 * and the databeacon.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { addressGroup } from './address-group.ts';
import { type Caller, type NamedToken, Tokens } from './http-tokens.ts';
import { Rate } from './rate.ts';

export type HttpAddress = { host: string; port: number };

/** What an operator may set besides the address. */
export type HttpSettings = {
  tokens: readonly NamedToken[];
  /**
   * Host names this server answers to, besides loopback and the bound address: `name` or
   * `name:port`.
   */
  allowedHosts: readonly string[];
  /** PEM texts; if given, the server speaks HTTPS. */
  tls?: { cert: string; key: string };
};

export const plainHttp: HttpSettings = { tokens: [], allowedHosts: [] };

/**
 * Splits `host:port`; port 0 takes a free one.
 * @throws TidemarkError CONFIG_INVALID, also for an address beyond loopback without a token of the
 * operator's
 */
export function decodeAddress(address: string, hasOwnToken: boolean): HttpAddress {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '') || '127.0.0.1';
  const port = Number(address.slice(at + 1));
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new TidemarkError('CONFIG_INVALID', `--http ${address}: expected host:port`);
  if (!isLoopback(host) && !hasOwnToken)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `--http ${address} is reachable from outside: set TIDEMARK_TOKEN, or bind 127.0.0.1`,
    );
  return { host, port };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The URL of a listening server. */
export function urlOf({ host }: HttpAddress, port: number, isTls = false): string {
  return `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Headers set by proxies. */
const forwardings = [
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Real-IP',
  'Via',
] as const;

type HeaderName =
  | 'Authorization'
  | 'Host'
  | 'Origin'
  | 'Sec-Fetch-Site'
  | (typeof forwardings)[number];

/** What is known of a call. */
export type HttpCall = {
  isChanging: boolean;
  /** Serves no data, only the files of the page. */
  isPublic: boolean;
  /** The caller's address. */
  remote: string;
  header: (name: HeaderName) => string | undefined;
};

/** A permitted call and its caller: null when no token was required and none was given. */
export type Admitted = { isAdmitted: true; caller: Caller | null };
/** A denied call. `isNoted` is whether to log it; calls that were slowed down are not logged. */
export type Denied = {
  isAdmitted: false;
  status: 401 | 403 | 429;
  headers: Record<string, string>;
  body: { Success: false; Code: string; Reason: string; RetryAfterMs?: number };
  caller: Caller | null;
  isNoted: boolean;
};

const unauthorized =
  'this call needs the header Authorization: Bearer <token>, with TIDEMARK_TOKEN or ' +
  'the content of the file token in the data directory';

export class HttpAccess {
  /** Whether callers on this machine may read without a token. */
  readonly isOpen: boolean;
  readonly #address: HttpAddress;
  readonly #tokens: Tokens;
  readonly #allowedHosts: ReadonlySet<string>;
  readonly #failures: Rate;
  readonly #changes: Rate;

  /** @throws TidemarkError CONFIG_INVALID for tokens that cannot be distinguished */
  constructor(address: HttpAddress, { tokens, allowedHosts }: HttpSettings, nowMs: () => number) {
    this.#address = address;
    this.isOpen = isLoopback(address.host);
    this.#tokens = new Tokens(tokens);
    this.#allowedHosts = new Set(allowedHosts.map((host) => host.toLowerCase()));
    const whoMax = limits.httpCallersMax;
    this.#failures = new Rate(
      { burst: limits.httpFailuresMax, refillMs: limits.httpFailureMs, whoMax },
      nowMs,
    );
    this.#changes = new Rate(
      { burst: limits.httpChangesMax, refillMs: limits.httpChangeMs, whoMax },
      nowMs,
    );
  }

  check(call: HttpCall): Admitted | Denied {
    const host = call.header('Host')?.toLowerCase() ?? '';
    // DNS rebinding: a foreign page whose name resolves to our address would otherwise pass as
    // ours.
    if (!this.#isOurs(host))
      return forbidden(
        `the header Host names ${hostText(host)}, which is not this server; add it to allowedHosts if it is`,
        null,
        false,
      );
    const caller = this.#tokens.callerOf(call.header('Authorization'));
    if (!call.isChanging && (call.isPublic || (this.isOpen && !isForwarded(call))))
      return { isAdmitted: true, caller };
    const from = addressGroup(call.remote);
    const refusal = this.#deny(call, host, caller);
    if (refusal && this.#isSlowed(call, caller, from))
      return tooOften('too many calls were refused', this.#failures.waitMs(from));
    if (refusal) return refusal;
    if (call.isChanging && caller) {
      // One bucket for each token and address, so that nobody can use up another's.
      const who = `${caller.name} ${from}`;
      if (!this.#changes.take(who))
        return tooOften('too many changing calls', this.#changes.waitMs(who));
    }
    return { isAdmitted: true, caller };
  }

  /**
   * Only calls without a valid token are counted and slowed down, because a foreign page or another
   * user of the machine may share the operator's address.
   */
  #isSlowed(call: HttpCall, caller: Caller | null, from: string): boolean {
    if (caller || (!call.isChanging && call.header('Authorization') === undefined)) return false;
    return !this.#failures.take(from);
  }

  #deny(call: HttpCall, host: string, caller: Caller | null): Denied | null {
    if (call.isChanging && this.#isCrossSite(call, host))
      return forbidden(
        'a page of another site may not change anything here; its address is in the header Origin',
        caller,
        true,
      );
    if (!caller)
      return denied(401, 'UNAUTHORIZED', unauthorized, {
        caller: null,
        isNoted: call.isChanging,
        headers: { 'WWW-Authenticate': 'Bearer' },
      });
    if (call.isChanging && caller.role !== 'operate')
      return forbidden(
        `the token of ${caller.name} may view; this call needs one that may operate`,
        caller,
        true,
      );
    return null;
  }

  #isOurs(host: string): boolean {
    const name = nameOf(host);
    if (name === null) return false;
    if (
      isLoopback(name) ||
      name === this.#address.host.toLowerCase() ||
      this.#isAllowed(host, name)
    )
      return true;
    // When bound to all addresses, we accept any IP address as Host: only names can be forged in
    // DNS.
    return (
      isAnyAddress(this.#address.host) && (isIP(name) !== 0 || name === hostname().toLowerCase())
    );
  }

  #isAllowed(host: string, name: string): boolean {
    return this.#allowedHosts.has(host) || this.#allowedHosts.has(name);
  }

  #isCrossSite(call: HttpCall, host: string): boolean {
    const site = call.header('Sec-Fetch-Site');
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
    const origin = call.header('Origin');
    if (origin === undefined) return false;
    const from = URL.canParse(origin) ? new URL(origin).host : '';
    // A proxy may use another name for us than the browser does; that name is in the list.
    return from !== host && !this.#isAllowed(from, nameOf(from) ?? '');
  }
}

/** A call over loopback that a proxy forwards for somebody who may be anywhere. */
function isForwarded(call: HttpCall): boolean {
  return forwardings.some((name) => call.header(name) !== undefined);
}

/** The name or address in `name:port`, without brackets; null when invalid. */
function nameOf(host: string): string | null {
  return (
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/
      .exec(host)
      ?.slice(1)
      .find((one) => one !== undefined) ?? null
  );
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function hostText(host: string): string {
  return host === '' ? 'nothing' : JSON.stringify(host.slice(0, 100));
}

type DeniedFacts = Pick<Denied, 'caller' | 'isNoted' | 'headers'>;

function denied(
  status: Denied['status'],
  Code: string,
  Reason: string,
  facts: DeniedFacts,
): Denied {
  return { isAdmitted: false, status, body: { Success: false, Code, Reason }, ...facts };
}

function forbidden(reason: string, caller: Caller | null, isNoted: boolean): Denied {
  return denied(403, 'FORBIDDEN', reason, { caller, isNoted, headers: {} });
}

function tooOften(what: string, waitMs: number): Denied {
  const refused = denied(429, 'OVERLOADED', `${what}; try again in ${Math.ceil(waitMs / 1000)} s`, {
    caller: null,
    isNoted: false,
    headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
  });
  return { ...refused, body: { ...refused.body, RetryAfterMs: waitMs } };
}
