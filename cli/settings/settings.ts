/**
 * Finds each setting in its source (a flag, a variable, `tidemark.json`, an `up` running on the
 * data directory, or the default), and names that source in errors.
 */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { usualBounds } from '../../worker/intake/pressure.ts';
import { readBusFile } from '../up/bus-file.ts';
import { contextsOf, readSettingsFile } from './contexts.ts';
import { maskedSetting } from './masked.ts';
import { nearestOf } from '../terminal/nearest.ts';

/**
 * The settings with text values: their name in `tidemark.json`, also used as the flag, and their
 * environment variable.
 */
export const variables = {
  nats: 'NATS_URL',
  creds: 'NATS_CREDS',
  nkey: 'NATS_NKEY',
  user: 'NATS_USER',
  password: 'NATS_PASSWORD',
  natsToken: 'NATS_TOKEN',
  cert: 'NATS_CERT',
  key: 'NATS_KEY',
  ca: 'NATS_CA',
  context: 'NATS_CONTEXT',
  natsServer: 'NATS_SERVER_BIN',
  hub: 'TIDEMARK_HUB',
  data: 'TIDEMARK_DATA',
  http: 'TIDEMARK_HTTP',
  beaconHttp: 'TIDEMARK_BEACON_HTTP',
  token: 'TIDEMARK_TOKEN',
  tokenFile: 'TIDEMARK_TOKEN_FILE',
  viewToken: 'TIDEMARK_VIEW_TOKEN',
  viewTokenFile: 'TIDEMARK_VIEW_TOKEN_FILE',
  tokensFile: 'TIDEMARK_TOKENS_FILE',
  allowedHosts: 'TIDEMARK_ALLOWED_HOSTS',
  httpCert: 'TIDEMARK_HTTP_CERT',
  httpKey: 'TIDEMARK_HTTP_KEY',
  intake: 'TIDEMARK_INTAKE',
  logLevel: 'TIDEMARK_LOG',
  journalBytesMax: 'TIDEMARK_JOURNAL_BYTES_MAX',
  pendingMax: 'TIDEMARK_PENDING_MAX',
  diskFreeMin: 'TIDEMARK_DISK_FREE_MIN',
  retainFor: 'TIDEMARK_RETAIN_FOR',
  retainEntries: 'TIDEMARK_RETAIN_ENTRIES',
  dedupFor: 'TIDEMARK_DEDUP_FOR',
  dedupEntries: 'TIDEMARK_DEDUP_ENTRIES',
  opsDir: 'TIDEMARK_OPS_DIR',
  skipOpsUntil: 'TIDEMARK_SKIP_OPS_UNTIL',
  anyFileSystem: 'TIDEMARK_ANY_FILE_SYSTEM',
  acceptUnscoped: 'TIDEMARK_ACCEPT_UNSCOPED',
  takeOver: 'TIDEMARK_TAKE_OVER',
} as const;

export type SettingName = keyof typeof variables;
const settingNames = Object.keys(variables) as SettingName[];
export const defaults: Partial<Record<SettingName, string>> &
  Record<'hub' | 'data' | 'http' | 'nats', string> = {
  hub: 'hub1',
  data: './tidemark-data',
  http: '127.0.0.1:8390',
  nats: 'nats://127.0.0.1:4222',
  intake: 'none',
  logLevel: 'info',
  anyFileSystem: '0',
  acceptUnscoped: '0',
  takeOver: '0',
  journalBytesMax: String(usualBounds.journalBytesMax),
  pendingMax: String(usualBounds.pendingMax),
  retainFor: `${limits.retainedMs / 3_600_000}h`,
  retainEntries: String(limits.retainedEntriesMax),
  dedupFor: `${limits.dedupMs / 86_400_000}d`,
  dedupEntries: String(limits.dedupEntriesMax),
};

/** Parsed flags; other members belong to the verb. */
export type Flags = Partial<Record<SettingName | 'config', string>> & Record<string, unknown>;

/** One setting; `Value` is null when it is not set and has no default. */
export type Setting = { Name: string; Value: string | null; Origin: string };

/** The bus and the hub of an `up` that is running on the data directory. */
export function settingsOfUp(data: string): Partial<Record<SettingName, string>> {
  const up = readBusFile(data);
  if (up === null) return {};
  return { nats: up.Url, ...(up.Hub === undefined ? {} : { hub: up.Hub }) };
}

/** Every setting with its origin; secrets are masked. `data` is the resulting data directory. */
export function settingsOf(flags: Flags, environment: NodeJS.ProcessEnv, data: string): Setting[] {
  const found = sources(flags, environment);
  const up = settingsOfUp(data);
  const otherwise = (name: SettingName) =>
    up[name] === undefined
      ? { value: defaults[name], origin: 'default' }
      : { value: up[name], origin: `the up that runs on ${data}` };
  return settingNames.map((Name) => {
    const { value, origin } = found(Name) ?? otherwise(Name);
    return {
      Name,
      Value: value === undefined ? null : maskedSetting(Name, value),
      Origin: value === undefined ? 'not set' : origin,
    };
  });
}

/** Looks up the value of a setting, from any source. */
export type Value = (name: SettingName) => string | undefined;
export type Sources = (name: SettingName) => { value: string; origin: string } | null;

/** @throws TidemarkError CONFIG_INVALID for a flag without a value */
export function sources(flags: Flags, environment: NodeJS.ProcessEnv): Sources {
  const file = readConfigFile(flags.config);
  const path = resolve(flags.config ?? 'tidemark.json');
  for (const name of settingNames) {
    const flag = flags[name];
    if (flag === '' || flag?.startsWith('--'))
      throw invalid(
        `${flagOf(name)} needs a value${flag === '' ? '' : `, and ${flag} is an option`}`,
      );
  }
  const contexts = contextsOf(flags.context, environment, file.context);
  return (name) => {
    const [flag, variable, key] = [flags[name], environment[variables[name]], file[name]];
    const named = (contexts.named as Partial<Record<SettingName, string>>)[name];
    const standing = (contexts.standing as Partial<Record<SettingName, string>>)[name];
    if (flag !== undefined) return { value: flag, origin: `flag ${flagOf(name)}` };
    if (named !== undefined) return { value: named, origin: `context ${flags.context}` };
    if (variable) return { value: variable, origin: `environment ${variables[name]}` };
    if (standing !== undefined)
      return { value: standing, origin: `context ${environment['NATS_CONTEXT'] || file.context}` };
    return key === undefined ? null : { value: key, origin: path };
  };
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The error for a wrong setting, with the name under which it was given. */
export function saidOf(error: TidemarkError, found: Sources): TidemarkError {
  const [name = ''] = /^\w+/.exec(error.message) ?? [];
  const origin = settingNames.includes(name as SettingName)
    ? found(name as SettingName)?.origin
    : undefined;
  if (error.code !== 'CONFIG_INVALID' || origin === undefined) return error;
  const at = /^(?:flag|environment) (.+)$/.exec(origin)?.[1] ?? `${name} in ${origin}`;
  return new TidemarkError(error.code, `${at}${error.message.slice(name.length)}`, {
    cause: error,
  });
}

/** Reads `tidemark.json` in the working directory, or the file given with `--config`. */
function readConfigFile(named: string | undefined): Partial<Record<SettingName, string>> {
  const path = resolve(named ?? 'tidemark.json');
  if (!existsSync(path)) {
    if (named === undefined) return {};
    throw invalid(`there is no configuration file ${path}`);
  }
  if (!statSync(path).isFile())
    throw invalid(`${path} is not a file: --config names a file like tidemark.json`);
  const content = readSettingsFile(path);
  const problems = Object.entries(content).flatMap(([name, is]) => problemOf(name, is) ?? []);
  if (problems.length > 0) throw invalid(`${path}: ${problems.join('; ')}`);
  return content;
}

function problemOf(name: string, value: unknown): string | null {
  if (!settingNames.includes(name as SettingName)) {
    const nearest = nearestOf(name, settingNames);
    return (
      'unknown key ' +
      `${JSON.stringify(name)}${nearest ? `, did you mean ${nearest}?` : `; known are ${settingNames.join(', ')}`}`
    );
  }
  return typeof value === 'string' && value !== '' ? null : `${name}: expected text`;
}

function invalid(message: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', message);
}
