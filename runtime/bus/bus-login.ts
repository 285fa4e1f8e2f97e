/**
 * Connects to the bus: credentials, TLS, and why a server rejected us. Shares the home of the NATS
 * client with `bus.ts`.
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
  /** Shown in the server's list of connections. */
  name: string;
  user?: string;
  password?: string;
  token?: string;
  /** Paths of a creds file, an nkey seed file and PEM files. */
  creds?: string;
  nkey?: string;
  tls?: { cert?: string; key?: string; ca?: string };
  /** Prefix of the subjects that answers arrive on; made from the name when omitted. */
  inbox?: string;
  /** Retry the first connection forever (default), or fail at once. */
  waitForServer?: boolean;
};

const reconnectMs = 250;

/**
 * Reads the file again on each connect, so that renewed credentials need no restart.
 * @throws TidemarkError CONFIG_INVALID when it holds none; the message does not quote its contents
 */
function authenticatorOf({ creds, nkey }: BusOptions): Authenticator | undefined {
  const path = creds ?? nkey;
  if (path === undefined) return undefined;
  const authenticator: Authenticator = (nonce) =>
    (creds === undefined
      ? nkeyAuthenticator(seedIn(path))
      : credsAuthenticator(readFileSync(path)))(nonce);
  try {
    // Signs once now, so that a wrong file is reported before the server rejects it.
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

/** Finds the line with the seed; tools write other lines around it. */
function seedIn(path: string): Uint8Array {
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .map((one) => one.trim())
    .find((one) => /^S[A-Z2-7]{57}$/.test(one));
  if (line === undefined) throw new TypeError('contains no nkey seed');
  return Buffer.from(line);
}

/** TLS settings. A URL with `tls:` demands TLS, even without files of ours. */
function tlsOf({ tls, servers }: BusOptions): NodeConnectionOptions['tls'] {
  const { cert, key, ca } = tls ?? {};
  if (!cert && !key && !ca && !/(?:^|,)(?:tls|wss):\/\//i.test(servers)) return undefined;
  return {
    ...(cert ? { certFile: cert } : {}),
    ...(key ? { keyFile: key } : {}),
    ...(ca ? { caFile: ca } : {}),
  };
}

/** @throws TidemarkError CONFIG_INVALID for unusable credential files */
function connectionOptions(options: BusOptions): NodeConnectionOptions {
  const authenticator = authenticatorOf(options);
  const tls = tlsOf(options);
  return {
    servers: options.servers.split(','),
    name: options.name,
    // An inbox per process, so that permissions can keep one process from reading answers to
    // another.
    inboxPrefix: options.inbox ?? inboxOf(options.name),
    // By default the client gives up after ten attempts; a sidecar must outlive any outage of the
    // bus.
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

/** Connects; parameters and errors are those of `Bus.connect`. */
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
        log.warn({ reason: error.message }, 'no bus yet, retrying until there is one');
      await told?.(error.message);
      await systemClock.sleep(reconnectMs);
    }
  }
}

/** TLS errors that retrying cannot fix: one side does not trust the other's certificate. */
const certificateCode =
  /^(?:CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL_|ERR_OSSL_|HOSTNAME_MISMATCH)/;

/** Why there is no connection, as one line for an operator. */
function whyNoBus(options: BusOptions, cause: unknown): TidemarkError {
  const servers = masked(options.servers);
  if (cause instanceof TidemarkError) return cause;
  const reason = oneLine(cause);
  if (has(cause, (one) => one instanceof AuthorizationError)) {
    return new TidemarkError(
      'CONFIG_INVALID',
      `the bus at ${servers} rejected our login: ${reason}; check user and password, token, creds or nkey`,
      { cause },
    );
  }
  if (
    has(cause, (one) => certificateCode.test((one as NodeJS.ErrnoException).code ?? '')) ||
    /server does not support 'tls'/.test(reason)
  ) {
    return new TidemarkError(
      'CONFIG_INVALID',
      `TLS with the bus at ${servers} failed: ${reason}; check ca, cert and key`,
      { cause },
    );
  }
  // A server that rejects our certificate says so only after we consider ourselves connected, then
  // closes the connection.
  if (tlsOf(options) && !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(reason)) {
    return new TidemarkError(
      'UNREACHABLE',
      `no bus at ${servers}: ${reason}; it may reject our certificate: check cert and key, and its log`,
      { cause },
    );
  }
  return new TidemarkError(
    'UNREACHABLE',
    `no bus at ${servers}: ${reason}; is nats-server running there?`,
    { cause },
  );
}

/** The message on one line, with secrets masked. */
export function oneLine(cause: unknown): string {
  return masked(messageOf(cause)).replace(/\s+/g, ' ');
}

function has(error: unknown, isIt: (one: Error) => boolean): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (isIt(at)) return true;
  return false;
}
