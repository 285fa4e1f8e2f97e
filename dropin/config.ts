/**
 * What the drop-in bridges are told: the options of their making, then the hub's settings, then the
 * environment, then defaults. The only reader of process.env in dropin/.
 */
import { resolve } from 'node:path';
import { inboxOf, isSubjectToken } from '../contracts/subjects.ts';
import { limits } from '../contracts/limits.ts';
import type { HubConnection, HubHeaders } from '../contracts/client.ts';

/** A connection of either NATS client, as far as the bridges use it. */
export type NatsConnection = HubConnection<HubHeaders> & {
  status(): AsyncIterable<{ type: string }>;
  subscribe(subject: string, options: { callback: () => void }): { unsubscribe(): void };
  requestMany?(
    subject: string,
    payload: Uint8Array,
    options: { strategy: 'timer'; maxWait: number },
  ): Promise<AsyncIterable<{ readonly data: Uint8Array }>>;
  close(): Promise<void>;
  closed(): Promise<unknown>;
};

/** The parts of the `nats` package that are used; 2.x and 3.x have them. */
export type NatsLibrary = {
  connect(options: object): Promise<unknown>;
  headers(): unknown;
  credsAuthenticator(creds: Uint8Array): unknown;
  nkeyAuthenticator(seed: Uint8Array): unknown;
};

/** Options of a bridge. Each may also stand under `Tidemark` in the hub's settings. */
export type BridgeOptions = {
  /**
   * URL of the bus, or several with commas; also `NATS_URL`. User and password may stand in it, or
   * in `NATS_USER` and so on, as for the `nats` command.
   */
  NatsURL?: string;
  /** Of the worker that is this hub's; also `TIDEMARK_HUB`. */
  HubID?: string;
  /** How long a read is awaited, milliseconds; the incumbent's option of that name. */
  TimeoutMs?: number;
  /** How long a write is tried before it is given up, milliseconds. */
  GiveUpMs?: number;
  /**
   * Writes kept in memory while the worker or the bus is away, and their characters as JSON; more
   * are refused.
   */
  WritesMax?: number;
  WriteCharsMax?: number;
  /**
   * File in which writes wait until they are answered, `false` for memory only; also
   * `TIDEMARK_HUB_FILE`. By default `tidemark-<HubID>.sqlite` where the hub keeps its data
   * (`UltravisorFileStorePath`, else `DataPath`); in memory where it names no such folder.
   */
  File?: string | false;
  /** How large that file may become, bytes. */
  FileBytesMax?: number;
  /** For the backend's audit trail. */
  RemoteUser?: string;
  /**
   * Where the answers to a connection of the bridge's own come, `_INBOX.tidemark-bridge-<HubID>`
   * unless it is said; a bus with permissions must let the hub subscribe below it.
   */
  InboxPrefix?: string;
  /** The hub's own copy of the `nats` package, 2.x or 3.x, to connect with in place of ours. */
  Nats?: NatsLibrary;
  /**
   * A connection the hub has already, which stays its own to close, with the `headers` function of
   * its package.
   */
  Connection?: NatsConnection;
  Headers?: () => HubHeaders;
};

/** Login of the bus, under the names of the `nats` command's variables. */
export type Login = {
  user?: string;
  pass?: string;
  token?: string;
  creds?: string;
  nkey?: string;
  cert?: string;
  key?: string;
  ca?: string;
};

export type BridgeSettings = Required<
  Pick<
    BridgeOptions,
    | 'HubID'
    | 'InboxPrefix'
    | 'TimeoutMs'
    | 'GiveUpMs'
    | 'WritesMax'
    | 'WriteCharsMax'
    | 'FileBytesMax'
  >
> &
  Pick<BridgeOptions, 'RemoteUser' | 'Nats' | 'Connection' | 'Headers'> & {
    servers: string[];
    login: Login;
    /** Path of the hub's file; null for memory only, asked for by `File: false`. */
    file: string | null;
    isMemoryMeant: boolean;
  };

/**
 * Settings of one bridge, checked.
 * @throws RangeError or TypeError naming the option: a hub must see at its start that its
 * persistence is not set up
 */
export function bridgeSettings(options: BridgeOptions, hubSettings: unknown): BridgeSettings {
  return resolveSettings(
    { ...within(hubSettings), ...options },
    process.env,
    dataFolderOf(hubSettings),
  );
}

export function resolveSettings(
  given: BridgeOptions,
  environment: NodeJS.ProcessEnv,
  dataFolder: string | null,
): BridgeSettings {
  const HubID = given.HubID ?? (environment['TIDEMARK_HUB'] || 'hub1');
  if (!isSubjectToken(HubID))
    throw new RangeError(`HubID ${JSON.stringify(HubID)} is not 1 to 64 of A-Z, a-z, 0-9, _ and -`);
  if (given.Connection && !given.Headers)
    throw new TypeError(
      'Connection without Headers: give the headers function of the package the connection was made with',
    );
  const { servers, login } = withoutUser(
    given.NatsURL ?? (environment['NATS_URL'] || 'nats://127.0.0.1:4222'),
  );
  const { RemoteUser, Nats, Connection, Headers } = given;
  return {
    HubID,
    InboxPrefix: inboxPrefix(given.InboxPrefix ?? inboxOf(`tidemark-bridge ${HubID}`)),
    servers,
    login: { ...loginOf(environment), ...login },
    TimeoutMs: positive('TimeoutMs', given.TimeoutMs, limits.dropinReadMs),
    GiveUpMs: positive('GiveUpMs', given.GiveUpMs, limits.dropinGiveUpMs),
    WritesMax: positive('WritesMax', given.WritesMax, limits.clientWritesMax),
    WriteCharsMax: positive('WriteCharsMax', given.WriteCharsMax, limits.clientCharsMax),
    FileBytesMax: positive('FileBytesMax', given.FileBytesMax, limits.dropinFileBytesMax),
    ...fileOf(given.File ?? environment['TIDEMARK_HUB_FILE'], HubID, dataFolder),
    ...(RemoteUser === undefined ? {} : { RemoteUser }),
    ...(Nats ? { Nats } : {}),
    ...(Connection ? { Connection } : {}),
    ...(Headers ? { Headers } : {}),
  };
}

/** Tokens of a subject with nothing in them that would mean more than one. */
function inboxPrefix(given: string): string {
  if (/^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(given)) return given;
  throw new RangeError(
    `InboxPrefix ${JSON.stringify(given)} is no subject: tokens with dots between`,
  );
}

function within(hubSettings: unknown): BridgeOptions {
  const ours =
    typeof hubSettings === 'object' && hubSettings !== null
      ? (hubSettings as Record<string, unknown>)['Tidemark']
      : undefined;
  return typeof ours === 'object' && ours !== null ? ours : {};
}

/** Where the hub keeps what is its own, in the order the hub itself looks. */
function dataFolderOf(hubSettings: unknown): string | null {
  if (typeof hubSettings !== 'object' || hubSettings === null) return null;
  const { UltravisorFileStorePath, DataPath } = hubSettings as Record<string, unknown>;
  return [UltravisorFileStorePath, DataPath].find(isPath) ?? null;
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function fileOf(
  given: unknown,
  hub: string,
  folder: string | null,
): Pick<BridgeSettings, 'file' | 'isMemoryMeant'> {
  const isMemoryMeant = given === false || given === 'false';
  if (isMemoryMeant) return { file: null, isMemoryMeant };
  if (isPath(given)) return { file: resolve(given), isMemoryMeant };
  const file = folder === null ? null : resolve(folder, `tidemark-${hub}.sqlite`);
  return { file, isMemoryMeant };
}

function positive(name: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (!Number.isFinite(value) || value <= 0)
    throw new RangeError(`${name} ${value} is not a number above 0`);
  return value;
}

function loginOf(environment: NodeJS.ProcessEnv): Login {
  const named = {
    user: environment['NATS_USER'],
    pass: environment['NATS_PASSWORD'],
    token: environment['NATS_TOKEN'],
    creds: environment['NATS_CREDS'],
    nkey: environment['NATS_NKEY'],
    cert: environment['NATS_CERT'],
    key: environment['NATS_KEY'],
    ca: environment['NATS_CA'],
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value)) as Login;
}

/** The client takes names and passwords apart from the URL; `nats://token@host` is a token. */
function withoutUser(url: string): { servers: string[]; login: Login } {
  let login: Login = {};
  const servers = url.split(',').map((one) => {
    const [, scheme = '', userInfo, host = ''] =
      /^([a-z]+:\/\/)?(?:([^@/]*)@)?(.*)$/i.exec(one.trim()) ?? [];
    if (host === '') throw new RangeError(`NatsURL ${JSON.stringify(url)} names no host`);
    if (userInfo !== undefined) {
      const [user = '', pass] = userInfo.split(':').map(decodeURIComponent);
      login = pass === undefined ? { token: user } : { user, pass };
    }
    return scheme + host;
  });
  return { servers, login };
}
