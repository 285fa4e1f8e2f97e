/**
 * How a process shows itself to the bus: its credentials, its trust, and why a server would not
 * have it. Shares the home of the NATS client with `bus.ts`.
 */
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  AuthorizationError,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  nkeyAuthenticator,
} from 'nats';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { inboxOf } from '../../contracts/subjects.ts';
import { systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { masked } from '../masked.ts';
import { Reminder } from '../reminder.ts';

export type BusOptions = {
  servers: string;
  /** Shown in the server's connection list. */
  name: string;
  user?: string;
  password?: string;
  token?: string;
  /** Paths of a creds file, an nkey seed file, and PEM files. */
  creds?: string;
  nkey?: string;
  tls?: { cert?: string; key?: string; ca?: string };
  /** Prefix of the subjects its answers come to; made from the name when left out. */
  inbox?: string;
  /** Retry the first connect for ever (default), or fail at once. */
  waitForServer?: boolean;
};

const reconnectMs = 250;

/**
 * The file is read again at each connect, so that renewed credentials need no restart.
 * @throws TidemarkError CONFIG_INVALID when it holds none, without telling what it holds
 */
function authenticatorOf({ creds, nkey }: BusOptions): Authenticator | undefined {
  const path = creds ?? nkey;
  if (path === undefined) return undefined;
  const authenticator: Authenticator = (nonce) =>
    (creds === undefined
      ? nkeyAuthenticator(seedIn(path))
      : credsAuthenticator(readFileSync(path)))(nonce);
  try {
    // Signs something, once: a wrong file is better known now than at the server.
    authenticator('nonce');
  } catch (cause) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${creds === undefined ? 'nkey' : 'creds'} ${path}: ${oneLine(cause)}`,
      { cause },
    );
  }
  return authenticator;
}

/** The line of the seed; tools write others around it. */
function seedIn(path: string): Uint8Array {
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .map((one) => one.trim())
    .find((one) => /^S[A-Z2-7]{57}$/.test(one));
  if (line === undefined) throw new TypeError('holds no seed of an nkey');
  return Buffer.from(line);
}

/** Files of ours for TLS; a URL that says `tls:` means it, and takes no plain connection. */
function tlsOf({ tls, servers }: BusOptions): NodeConnectionOptions['tls'] {
  const { cert, key, ca } = tls ?? {};
  if (!cert && !key && !ca && !/(?:^|,)(?:tls|wss):\/\//i.test(servers)) return undefined;
  return {
    ...(cert ? { certFile: cert } : {}),
    ...(key ? { keyFile: key } : {}),
    ...(ca ? { caFile: ca } : {}),
  };
}

/** @throws TidemarkError CONFIG_INVALID for files that do not hold what they should */
function connectionOptions(options: BusOptions): NodeConnectionOptions {
  const authenticator = authenticatorOf(options);
  const tls = tlsOf(options);
  return {
    servers: options.servers.split(','),
    name: options.name,
    // Its own, so that one process may be kept from reading the answers to another.
    inboxPrefix: options.inbox ?? inboxOf(options.name),
    // The client gives up after ten tries by default; a sidecar outlives any outage of the bus.
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    reconnectJitter: 100,
    ignoreAuthErrorAbort: true,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    ...(authenticator ? { authenticator } : {}),
    ...(options.token ? { token: options.token } : {}),
    ...(options.user ? { user: options.user } : {}),
    ...(options.password ? { pass: options.password } : {}),
    ...(tls ? { tls } : {}),
  };
}

/** A connection; takes and throws as `Bus.connect` does. */
export async function connectWith(
  options: BusOptions,
  log: Log,
  told?: (reason: string) => Promise<void>,
): Promise<NatsConnection> {
  const settings = connectionOptions(options);
  const reminder = new Reminder(limits.busReminderMs);
  for (;;) {
    try {
      return await connect(settings);
    } catch (cause) {
      const error = whyNoBus(options, cause);
      if (options.waitForServer === false) throw error;
      if (reminder.isDue(error.message))
        log.warn({ reason: error.message }, 'no bus yet, trying again until there is one');
      await told?.(error.message);
      await systemClock.sleep(reconnectMs);
    }
  }
}

/** Codes of TLS that no waiting mends: the certificate of one side is not what the other trusts. */
const certificateCode =
  /^(?:CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL_|ERR_OSSL_|HOSTNAME_MISMATCH)/;

/** Why there is no connection, in one line for an operator. */
function whyNoBus(options: BusOptions, cause: unknown): TidemarkError {
  const servers = masked(options.servers);
  if (cause instanceof TidemarkError) return cause;
  const reason = oneLine(cause);
  if (has(cause, (one) => one instanceof AuthorizationError)) {
    return new TidemarkError(
      'CONFIG_INVALID',
      `the bus at ${servers} does not let us in: ${reason}; check user and password, token, creds or nkey`,
      { cause },
    );
  }
  if (
    has(cause, (one) => certificateCode.test((one as NodeJS.ErrnoException).code ?? '')) ||
    /server does not support 'tls'/.test(reason)
  ) {
    return new TidemarkError(
      'CONFIG_INVALID',
      `the bus at ${servers} and we do not agree on TLS: ${reason}; check ca, cert and key`,
      { cause },
    );
  }
  // A server that does not take our certificate says so only when we believe to be in, and hangs
  // up.
  if (tlsOf(options) && !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(reason)) {
    return new TidemarkError(
      'UNREACHABLE',
      `no bus at ${servers}: ${reason}; it may not take our certificate: check cert and key, and its log`,
      { cause },
    );
  }
  return new TidemarkError(
    'UNREACHABLE',
    `no bus at ${servers}: ${reason}; is nats-server running there?`,
    { cause },
  );
}

/** Without a secret. */
export function oneLine(cause: unknown): string {
  return masked(messageOf(cause)).replace(/\s+/g, ' ');
}

function has(error: unknown, isIt: (one: Error) => boolean): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (isIt(at)) return true;
  return false;
}
