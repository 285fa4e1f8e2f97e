/** What a databeacon is started with, and the reading of database URLs. */
import { basename, extname, resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { decodeAddress, type HttpSettings } from '../../runtime/http/http-access.ts';

/** What can keep the rows of the legacy capabilities where there is no database. */
export type ProviderName = 'memory' | 'sqlite';

export type BeaconConfig = {
  /** 1-64 of `[A-Za-z0-9_-]`, the same over restarts. */
  beaconId: string;
  /** Database URLs; the n-th is connection n. */
  databases: string[];
  /** URL of a retold-databeacon's HTTP server to put on the bus, in place of databases. */
  front?: string;
  /** What keeps the rows of the legacy capabilities, in place of databases. */
  provider?: ProviderName;
  /** Folder of the beacon's own state. */
  dataDir: string;
  /** Whether `DataBeaconBatch` is offered. */
  isBatchOn: boolean;
  /** Takes `DataBeaconBatch` without a hub in the subject, as workers of 0.1.0 ask. */
  acceptsUnscoped?: boolean;
  /** Told in presence, as `PersistenceConnectionID=1`. */
  tags: Record<string, string>;
  /** False keeps MeadowProxy and CreateConnection from writing, whatever UpdateProxyConfig says. */
  allowWrites?: boolean;
  /** Folder of the SQLite files that CreateConnection may open; without it there is no such action. */
  createConnections?: string;
  /**
   * host:port of the table endpoints over HTTP; without it there is no HTTP. Port 0 takes a free
   * one.
   */
  http?: string;
  /** The operator's bearer token for it; without one a token is made in `dataDir`. */
  token?: string | null;
  /** More tokens, the names it may be called by, and its certificate. */
  access?: HttpSettings;
};

export type ServerKind = 'postgresql' | 'mysql' | 'mssql';

/**
 * `name` is what the connection is called when nobody says; `label` is the URL as it may be shown
 * and kept, without a secret.
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
 * Reads a database URL; a relative path counts from `from`.
 * @throws TidemarkError CONFIG_INVALID; the message never repeats what may hold a password
 */
export function parseDatabaseUrl(url: string, from = '.'): DatabaseUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'sqlite') return sqliteUrl(url, from);
  const kind =
    scheme === undefined || !Object.hasOwn(schemes, scheme) ? undefined : schemes[scheme];
  if (kind === undefined) {
    const what = scheme === undefined ? 'a database without a scheme' : `${scheme}:`;
    throw new TidemarkError('CONFIG_INVALID', `${what} is not spoken here; give ${spoken}`);
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
  // A secret can stand behind the question mark too.
  shown.search = '';
  return { kind, url, name: database, label: shown.href };
}

/** @throws TidemarkError CONFIG_INVALID for a configuration that cannot be started */
export function checkBeaconConfig(config: BeaconConfig): void {
  if (!isSubjectToken(config.beaconId)) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `beacon id ${JSON.stringify(config.beaconId)}: 1 to 64 letters, digits, _ or -, and no name every object has`,
    );
  }
  if (config.provider !== undefined) return checkProvider(config);
  if (config.front !== undefined) return checkFront(config);
  if (config.databases.length === 0)
    throw new TidemarkError('CONFIG_INVALID', `no database: give at least one, as ${spoken}`);
  for (const url of config.databases) parseDatabaseUrl(url);
  if (config.http !== undefined) decodeAddress(config.http, hasToken(config));
}

/** Whether the operator gave one. */
export function hasToken({ token, access }: Pick<BeaconConfig, 'token' | 'access'>): boolean {
  return (token ?? null) !== null || (access?.tokens.length ?? 0) > 0;
}

function checkProvider({ provider, front, databases, http }: BeaconConfig): void {
  if (provider !== 'memory' && provider !== 'sqlite')
    throw new TidemarkError(
      'CONFIG_INVALID',
      `provider ${JSON.stringify(provider)} is not there; give memory or sqlite`,
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
