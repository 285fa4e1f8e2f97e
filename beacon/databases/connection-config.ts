/**
 * What CreateConnection is given - meadow's objects, their JSON text, or a URL - as a database URL.
 * No error of it repeats what may be a secret.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { parseDatabaseUrl } from './config.ts';
import type { EngineKind } from '../engine/engine.ts';
import { refuse, type Settings, textAt } from '../settings.ts';

/** What each engine is called to the outside. */
export const typeNames: Readonly<Record<EngineKind, string>> = {
  sqlite: 'SQLite',
  postgresql: 'PostgreSQL',
  mysql: 'MySQL',
  mssql: 'MSSQL',
};

const kinds: Readonly<Record<string, EngineKind>> = {
  sqlite: 'sqlite',
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
  mssql: 'mssql',
  sqlserver: 'mssql',
};
const schemes: Readonly<Record<EngineKind, string>> = {
  sqlite: 'sqlite',
  postgresql: 'postgres',
  mysql: 'mysql',
  mssql: 'mssql',
};

/**
 * The kind and URL of `Settings.Type` and `Settings.Config`.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function databaseAt(settings: Settings): { kind: EngineKind; url: string } {
  const type = textAt(settings, 'Type', 32).toLowerCase();
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (!kind) throw refuse('Settings.Type', Object.values(typeNames).join(', '), settings['Type']);
  const config = configAt(settings['Config']);
  const url = typeof config === 'string' ? urlOfText(config, kind) : urlOfObject(config, kind);
  if (kindOf(url) !== kind)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `Settings.Config: expected a URL of ${typeNames[kind]}, ${schemes[kind]}:...`,
    );
  return { kind, url };
}

function configAt(config: unknown): string | JsonObject {
  if (isJsonObject(config)) return config;
  if (typeof config !== 'string' || config === '')
    throw refuse(
      'Settings.Config',
      'an object, its JSON text, or a URL',
      config === '' ? config : typeof config,
    );
  if (!config.trimStart().startsWith('{')) return config;
  try {
    const parsed: unknown = JSON.parse(config);
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // The parser's words quote the text.
  }
  throw new TidemarkError('INVALID_MESSAGE', 'Settings.Config: not readable as a JSON object');
}

/** For SQLite a bare path is enough. */
function urlOfText(text: string, kind: EngineKind): string {
  return kind === 'sqlite' && !text.startsWith('sqlite:') ? `sqlite:${text}` : text;
}

function kindOf(url: string): EngineKind {
  try {
    return parseDatabaseUrl(url).kind;
  } catch {
    throw new TidemarkError(
      'INVALID_MESSAGE',
      'Settings.Config: not readable as a database; give sqlite:<path>, postgres://, ' +
        'mysql:// or mssql://user:password@host:port/database',
    );
  }
}

function urlOfObject(config: JsonObject, kind: EngineKind): string {
  const given = new Map(Object.entries(config).map(([name, value]) => [name.toLowerCase(), value]));
  const text = (...names: string[]) => {
    const value = names
      .map((name) => given.get(name))
      .find((one) => one !== undefined && one !== null && one !== '');
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const needed = (what: string, value: string | undefined) => {
    if (value !== undefined) return value;
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `Settings.Config.${what}: expected text, got nothing`,
    );
  };
  if (kind === 'sqlite')
    return urlOfText(needed('SQLiteFilePath', text('sqlitefilepath', 'path', 'file')), kind);
  const url = new URL(
    `${schemes[kind]}://${hostOf(needed('Server', text('server', 'host', 'hostname')))}`,
  );
  const port = text('port');
  if (port !== undefined) url.port = port;
  url.username = encodeURIComponent(text('user', 'username') ?? '');
  url.password = encodeURIComponent(text('password') ?? '');
  url.pathname = `/${encodeURIComponent(needed('Database', text('database', 'databasename')))}`;
  return url.href;
}

/** @throws TidemarkError INVALID_MESSAGE for what could be more than a host */
function hostOf(host: string): string {
  if (/^[A-Za-z0-9._-]{1,253}$/.test(host)) return host;
  if (/^\[?[0-9A-Fa-f:.]{2,45}\]?$/.test(host)) return `[${host.replace(/^\[|\]$/g, '')}]`;
  throw new TidemarkError(
    'INVALID_MESSAGE',
    'Settings.Config.Server: expected the name or address of a host',
  );
}

/** A driver's words without the secret of the URL, in whatever form they quote it. */
export function withoutSecret(words: string, url: string): string {
  const encoded = URL.canParse(url) ? new URL(url).password : '';
  if (encoded === '') return words;
  return [encoded, decoded(encoded)].reduce(
    (text, secret) => text.replaceAll(secret, '***'),
    words,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
