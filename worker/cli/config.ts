/** What the command line is told: flags, then the environment, then `tidemark.json`, then defaults. The only reader of process.env in the worker. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import type { BusOptions } from '../../runtime/bus.ts';
import type { MaintenanceSettings } from '../maintenance.ts';
import type { CapacityBounds } from '../pressure.ts';
import { readBusFile } from '../up/bus-file.ts';
import type { HttpSettings } from '../../runtime/http-access.ts';
import { boundsOf } from './bounds.ts';
import { contextsOf, readSettingsFile } from './contexts.ts';
import { httpSettings, operatorToken } from './http-settings.ts';
import { nearestOf } from './nearest.ts';
import { opsSettings } from './ops-settings.ts';

/** Settings of one text value, by their name in `tidemark.json` and as a flag, with the variable that sets each. */
const variables = {
  nats: 'NATS_URL', creds: 'NATS_CREDS', nkey: 'NATS_NKEY', user: 'NATS_USER', password: 'NATS_PASSWORD', natsToken: 'NATS_TOKEN',
  cert: 'NATS_CERT', key: 'NATS_KEY', ca: 'NATS_CA', context: 'NATS_CONTEXT', natsServer: 'NATS_SERVER_BIN',
  hub: 'TIDEMARK_HUB', data: 'TIDEMARK_DATA', http: 'TIDEMARK_HTTP', beaconHttp: 'TIDEMARK_BEACON_HTTP', token: 'TIDEMARK_TOKEN', tokenFile: 'TIDEMARK_TOKEN_FILE',
  viewToken: 'TIDEMARK_VIEW_TOKEN', viewTokenFile: 'TIDEMARK_VIEW_TOKEN_FILE', tokensFile: 'TIDEMARK_TOKENS_FILE',
  allowedHosts: 'TIDEMARK_ALLOWED_HOSTS', httpCert: 'TIDEMARK_HTTP_CERT', httpKey: 'TIDEMARK_HTTP_KEY',
  intake: 'TIDEMARK_INTAKE', logLevel: 'TIDEMARK_LOG',
  journalBytesMax: 'TIDEMARK_JOURNAL_BYTES_MAX', pendingMax: 'TIDEMARK_PENDING_MAX', diskFreeMin: 'TIDEMARK_DISK_FREE_MIN',
  opsDir: 'TIDEMARK_OPS_DIR', skipOpsUntil: 'TIDEMARK_SKIP_OPS_UNTIL', anyFileSystem: 'TIDEMARK_ANY_FILE_SYSTEM',
} as const;

type SettingName = keyof typeof variables;
const settingNames = Object.keys(variables) as SettingName[];
const logLevels = ['debug', 'info', 'warn', 'error', 'silent'];

const defaults = { hub: 'hub1', data: './tidemark-data', http: '127.0.0.1:8390', nats: 'nats://127.0.0.1:4222' };

/** Flags as the verbs parsed them; other members are the verb's own. */
export type Flags = Partial<Record<SettingName | 'config', string>> & Record<string, unknown>;

export type CliConfig = {
  bus: Omit<BusOptions, 'name'>;
  /** The bus was named, rather than found or assumed. */
  isBusNamed: boolean;
  hub: string;
  /** Absolute. */
  data: string;
  isDataNamed: boolean;
  http: string;
  /** Where a databeacon answers over HTTP; off unless it is set. */
  beaconHttp: string | undefined;
  token: string | null;
  /** More tokens, names and certificate of the HTTP interface. */
  access: HttpSettings;
  intake: 'none' | 'jetstream';
  logLevel: string;
  bounds: CapacityBounds;
  /** Where operations are, and which are left out. */
  ops: MaintenanceSettings;
  /** The data directory may lie where writes do not last or locks do not hold. */
  isAnyFileSystem: boolean;
  /** A named nats-server binary, and the folders to look for one. */
  natsServer: string | undefined;
  path: string;
  /** For child processes: what we were given, and how to log in to the bus. */
  environment: NodeJS.ProcessEnv;
};

/** Frozen for the run of one verb. @throws TidemarkError CONFIG_INVALID naming the flag, variable or key */
export function loadConfig(flags: Flags): CliConfig {
  return resolveConfig(flags, process.env);
}

export function resolveConfig(flags: Flags, environment: NodeJS.ProcessEnv): CliConfig {
  const file = readConfigFile(flags.config);
  const contexts = contextsOf(flags.context, environment, file.context);
  const [named, standing]: Partial<Record<SettingName, string>>[] = [contexts.named, contexts.standing];
  const value = (name: SettingName): string | undefined => flags[name] ?? named?.[name] ?? (environment[variables[name]] || undefined) ?? standing?.[name] ?? file[name];
  const hub = value('hub') ?? defaults.hub;
  if (!isSubjectToken(hub)) throw invalid(`hub ${JSON.stringify(hub)} is not 1 to 64 of A-Z, a-z, 0-9, _ and -`);
  const data = resolve(value('data') ?? defaults.data);
  const url = value('nats');
  const isAnyFileSystem = choice('anyFileSystem', value('anyFileSystem') ?? '0', ['0', '1']) === '1';
  const bus = busOf(url ?? readBusFile(data)?.Url ?? defaults.nats, value);
  return {
    bus,
    isBusNamed: url !== undefined,
    hub,
    data,
    isDataNamed: value('data') !== undefined,
    http: value('http') ?? defaults.http,
    beaconHttp: value('beaconHttp'),
    token: operatorToken(value),
    access: httpSettings(value),
    intake: choice('intake', value('intake') ?? 'none', ['none', 'jetstream']) as 'none' | 'jetstream',
    logLevel: choice('logLevel', value('logLevel') ?? 'info', logLevels),
    bounds: boundsOf(value),
    ops: opsSettings(value, environment, data),
    isAnyFileSystem,
    natsServer: value('natsServer'),
    path: environment['PATH'] ?? '',
    environment: { ...environment, ...loginVariables(bus), ...(isAnyFileSystem ? { [variables.anyFileSystem]: '1' } : {}) },
  };
}

/** What the URL or the file said, as variables: a child process gets the URL without its user. */
function loginVariables({ user, password, token, creds, nkey, tls }: Omit<BusOptions, 'name'>): Record<string, string | undefined> {
  return defined({
    NATS_USER: user, NATS_PASSWORD: password, NATS_TOKEN: token, NATS_CREDS: creds, NATS_NKEY: nkey,
    NATS_CERT: tls?.cert, NATS_KEY: tls?.key, NATS_CA: tls?.ca,
  });
}

type Value = (name: SettingName) => string | undefined;

function busOf(url: string, value: Value): Omit<BusOptions, 'name'> {
  const { servers, user, password, token } = withoutUser(url);
  const login = { user: value('user') ?? user, password: value('password') ?? password, token: value('natsToken') ?? token };
  const files = { creds: value('creds'), nkey: value('nkey') };
  const tls = defined({ cert: value('cert'), key: value('key'), ca: value('ca') });
  for (const [name, path] of Object.entries({ ...files, ...tls })) {
    if (path !== undefined && !existsSync(path)) throw invalid(`${name}: there is no file ${path}`);
  }
  return { servers, ...defined(login), ...defined(files), ...(Object.keys(tls).length > 0 ? { tls } : {}) };
}

/** The client takes names and passwords apart from the URL; `nats://token@host` is a token. */
function withoutUser(url: string): { servers: string; user?: string; password?: string; token?: string } {
  let login: { user?: string; password?: string; token?: string } = {};
  const servers = url.split(',').map((one) => {
    const [, scheme = '', userInfo, host = ''] = /^([a-z]+:\/\/)?(?:([^@/]*)@)?(.*)$/i.exec(one.trim()) ?? [];
    if (host === '') throw invalid('nats: the bus URL names no host; give nats://host:port');
    if (userInfo !== undefined) {
      const [user = '', password] = userInfo.split(':').map(decodeURIComponent);
      login = password === undefined ? { token: user } : { user, password };
    }
    return scheme + host;
  }).join(',');
  return { servers, ...login };
}

/** `tidemark.json` of the working folder, or the file named with `--config`. */
function readConfigFile(named: string | undefined): Partial<Record<SettingName, string>> {
  const path = resolve(named ?? 'tidemark.json');
  if (!existsSync(path)) {
    if (named === undefined) return {};
    throw invalid(`there is no configuration file ${path}`);
  }
  const content = readSettingsFile(path);
  const problems = Object.entries(content).flatMap(([name, is]) => problemOf(name, is) ?? []);
  if (problems.length > 0) throw invalid(`${path}: ${problems.join('; ')}`);
  return content;
}

function problemOf(name: string, value: unknown): string | null {
  if (!settingNames.includes(name as SettingName)) {
    const nearest = nearestOf(name, settingNames);
    return `unknown key ${JSON.stringify(name)}${nearest ? `, did you mean ${nearest}?` : `; known are ${settingNames.join(', ')}`}`;
  }
  return typeof value === 'string' && value !== '' ? null : `${name}: expected text`;
}

function choice(name: string, value: string, allowed: readonly string[]): string {
  if (allowed.includes(value)) return value;
  throw invalid(`${name} ${JSON.stringify(value)} is none of ${allowed.join(', ')}`);
}

function defined<T extends Record<string, string | undefined>>(values: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: string };
}

function invalid(message: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', message);
}
