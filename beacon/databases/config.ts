/** The configuration of a databeacon, and parsing of database URLs. */
import { basename, extname, resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { decodeAddress, type HttpSettings } from '../../runtime/http/http-access.ts';

/** Where the legacy capabilities keep rows when there is no database. */
export type ProviderName = 'memory' | 'sqlite';

export type BeaconConfig = {
  /** 1-64 of `[A-Za-z0-9_-]`; must stay the same over restarts. */
  beaconId: string;
  /** Database URLs; the n-th is connection n. */
  databases: string[];
  /** URL of a retold-databeacon's HTTP server to offer on the bus, instead of databases. */
  front?: string;
  /** Where the rows of the legacy capabilities are kept, instead of databases. */
  provider?: ProviderName;
  /** Folder of the beacon's own state. */
  dataDir: string;
  /** Whether `DataBeaconBatch` is offered. */
  isBatchOn: boolean;
  /** Accepts `DataBeaconBatch` on subjects without a hub, as workers of 0.1.0 send it. */
  acceptsUnscoped?: boolean;
  /** Announced in presence, as `PersistenceConnectionID=1`. */
  tags: Record<string, string>;
  /** False keeps MeadowProxy and CreateConnection from writing, whatever UpdateProxyConfig says. */
  allowWrites?: boolean;
  /**
   * Folder of the SQLite files that CreateConnection may open; if left out, CreateConnection is
   * off.
   */
  createConnections?: string;
  /**
   * host:port of the table endpoints over HTTP; if left out, HTTP is off. Port 0 takes a free one.
   */
  http?: string;
  /** The operator's bearer token for HTTP; without one a token is created in `dataDir`. */
  token?: string | null;
  /** More tokens, the host names it answers to, and its certificate. */
  access?: HttpSettings;
};

export type ServerKind = 'postgresql' | 'mysql' | 'mssql';

/**
 * `name` is the default name of the connection; `label` is the URL without secrets, safe to show
 * and store.
 */
export type DatabaseUrl =
  | { kind: 'sqlite'; path: string; name: string; label: string }
  | { kind: ServerKind; url: string; name: string; label: string };

const schemes: Record<string, ServerKind> = {
  postgres: 'postgresql',
  postgresql: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
  mssql: 'mssql',
  sqlserver: 'mssql',
};
const spoken = 'sqlite:<path>, postgres://, mysql:// or mssql://user:password@host:port/database';

/**
 * Parses a database URL; a relative path is resolved against `from`.
 * @throws TidemarkError CONFIG_INVALID; the message never repeats a part that may hold a password
 */
export function parseDatabaseUrl(url: string, from = '.'): DatabaseUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'sqlite') return sqliteUrl(url, from);
  const kind =
    scheme === undefined || !Object.hasOwn(schemes, scheme) ? undefined : schemes[scheme];
  if (kind === undefined) {
    const what = scheme === undefined ? 'a database without a scheme' : `${scheme}:`;
    throw new TidemarkError('CONFIG_INVALID', `${what} is not supported; give ${spoken}`);
  }
  return serverUrl(url, kind);
}

function sqliteUrl(url: string, from: string): DatabaseUrl {
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=[^/]|\/[^/])/, '');
  if (path === '' || path === ':memory:' || path.startsWith('file:')) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${url}: a database needs a file; give sqlite:<path>`,
    );
  }
  const full = resolve(from, path);
  return {
    kind: 'sqlite',
    path: full,
    name: basename(full, extname(full)),
    label: `sqlite:${full}`,
  };
}

function serverUrl(url: string, kind: ServerKind): DatabaseUrl {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const database = decodeURIComponent(parsed?.pathname.slice(1) ?? '');
  if (!parsed?.hostname && !parsed?.searchParams.has('host'))
    throw new TidemarkError('CONFIG_INVALID', `a ${kind} database needs a host; give ${spoken}`);
  if (database === '' || database.includes('/'))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `a ${kind} database at ${parsed.host} needs a name; give ${spoken}`,
    );
  const shown = new URL(url);
  shown.password = '';
  // The query string may contain a secret too.
  shown.search = '';
  return { kind, url, name: database, label: shown.href };
}

/** @throws TidemarkError CONFIG_INVALID for a configuration that cannot be started */
export function checkBeaconConfig(config: BeaconConfig): void {
  if (!isSubjectToken(config.beaconId)) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `beacon id ${JSON.stringify(config.beaconId)}: 1 to 64 letters, digits, _ or -, not the name of an Object member`,
    );
  }
  if (config.provider !== undefined) return checkProvider(config);
  if (config.front !== undefined) return checkFront(config);
  if (config.databases.length === 0)
    throw new TidemarkError('CONFIG_INVALID', `no database: give at least one, as ${spoken}`);
  for (const url of config.databases) parseDatabaseUrl(url);
  if (config.http !== undefined) decodeAddress(config.http, hasToken(config));
}

/** Whether the operator gave a token. */
export function hasToken({ token, access }: Pick<BeaconConfig, 'token' | 'access'>): boolean {
  return (token ?? null) !== null || (access?.tokens.length ?? 0) > 0;
}

function checkProvider({ provider, front, databases, http }: BeaconConfig): void {
  if (provider !== 'memory' && provider !== 'sqlite')
    throw new TidemarkError(
      'CONFIG_INVALID',
      `there is no provider ${JSON.stringify(provider)}; give memory or sqlite`,
    );
  if (databases.length > 0 || front !== undefined)
    throw new TidemarkError(
      'CONFIG_INVALID',
      '--provider keeps the rows itself; leave --db and --front out',
    );
  if (http !== undefined)
    throw new TidemarkError(
      'CONFIG_INVALID',
      '--provider has no tables to answer for over HTTP; leave --http out',
    );
}

function checkFront({ front, databases, http }: BeaconConfig): void {
  if (databases.length > 0)
    throw new TidemarkError(
      'CONFIG_INVALID',
      '--front has the databases of its server; leave --db out',
    );
  if (http !== undefined)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `--front has the HTTP of its server at ${front}; leave --http out`,
    );
}
