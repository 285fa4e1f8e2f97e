/**
 * Who may call the HTTP interface of a process, and where it listens: one rule for the worker and
 * the databeacon.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { addressGroup } from './address-group.ts';
import { type Caller, type NamedToken, Tokens } from './http-tokens.ts';
import { Rate } from './rate.ts';

export type HttpAddress = { host: string; port: number };

/** What an operator may set beside the address. */
export type HttpSettings = {
  tokens: readonly NamedToken[];
  /**
   * Names this server may be called by, beside loopback and the bound address: `name` or
   * `name:port`.
   */
  allowedHosts: readonly string[];
  /** PEM texts; with them the server speaks HTTPS. */
  tls?: { cert: string; key: string };
};

export const plainHttp: HttpSettings = { tokens: [], allowedHosts: [] };

/**
 * Splits `host:port`; port 0 takes a free one.
 * @throws TidemarkError CONFIG_INVALID, also beyond loopback without a token of the operator's
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

/** Set by whatever passes a call on for somebody else. */
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

/** What is asked of one call. */
export type HttpCall = {
  isChanging: boolean;
  /** Holds no data: the files of the page. */
  isPublic: boolean;
  /** Address of the other side. */
  remote: string;
  header: (name: HeaderName) => string | undefined;
};

/** A call that goes on, and who makes it: null where nobody has to say, and did not. */
export type Admitted = { isAdmitted: true; caller: Caller | null };
/**
 * A call that does not. `isNoted` is whether it is worth a line of the log: what was slowed down is
 * not.
 */
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
  'what stands in the file token of the data directory';

export class HttpAccess {
  /** Whether who is on the machine reads without a token. */
  readonly isOpen: boolean;
  readonly #address: HttpAddress;
  readonly #tokens: Tokens;
  readonly #allowedHosts: ReadonlySet<string>;
  readonly #failures: Rate;
  readonly #changes: Rate;

  /** @throws TidemarkError CONFIG_INVALID for tokens that cannot be told apart */
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
    // A page of another site that had its own name answered with our address would else be taken
    // for ours.
    if (!this.#isOurs(host))
      return forbidden(
        `the header Host names ${hostText(host)}, which this server is not; add it to allowedHosts if it is`,
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
      // Each token at each place has its own, so that nobody uses up another's.
      const who = `${caller.name} ${from}`;
      if (!this.#changes.take(who))
        return tooOften('too many changing calls', this.#changes.waitMs(who));
    }
    return { isAdmitted: true, caller };
  }

  /**
   * Only who has no right token is counted, and only calls that have none are slowed down: a page
   * of another site, or somebody else on the machine, has the address of the operator.
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
    // Bound to all addresses: which are ours is not known, but an address is nothing that a name
    // server can lie about.
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
    // A proxy may call us by another name than the browser knows us by: that one is on the list.
    return from !== host && !this.#isAllowed(from, nameOf(from) ?? '');
  }
}

/** On loopback, but for somebody who may be anywhere. */
function isForwarded(call: HttpCall): boolean {
  return forwardings.some((name) => call.header(name) !== undefined);
}

/** The name or address in `name:port`, without brackets; null when it is none. */
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
