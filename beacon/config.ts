/** What a databeacon is started with, and the reading of database URLs. */
import { resolve } from 'node:path';
import { TidemarkError } from '../contracts/errors.ts';

export type BeaconConfig = {
  /** 1-64 of `[A-Za-z0-9_-]`, the same over restarts. */
  beaconId: string;
  /** Database URLs; the n-th is connection n. */
  databases: string[];
  /** Folder of the beacon's own state. */
  dataDir: string;
  /** Whether `DataBeaconBatch` is offered. */
  isBatchOn: boolean;
  /** Told in presence, as `PersistenceConnectionID=1`. */
  tags: Record<string, string>;
  /** False keeps MeadowProxy and CreateConnection from writing, whatever UpdateProxyConfig says. */
  allowWrites?: boolean;
};

export type DatabaseUrl = { kind: 'sqlite'; path: string };

/**
 * Reads a database URL; a relative path counts from `from`.
 * @throws TidemarkError CONFIG_INVALID; the message never repeats what may hold a password
 */
export function parseDatabaseUrl(url: string, from = '.'): DatabaseUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== 'sqlite') {
    const what = scheme === undefined ? 'a database without a scheme' : `${scheme}:`;
    throw new TidemarkError('CONFIG_INVALID', `${what} is not spoken here: this version speaks SQLite; give sqlite:<path>`);
  }
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=[^/]|\/[^/])/, '');
  if (path === '' || path === ':memory:' || path.startsWith('file:')) {
    throw new TidemarkError('CONFIG_INVALID', `${url}: a database needs a file; give sqlite:<path>`);
  }
  return { kind: 'sqlite', path: resolve(from, path) };
}

/** @throws TidemarkError CONFIG_INVALID for a configuration that cannot be started */
export function checkBeaconConfig(config: BeaconConfig): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(config.beaconId)) {
    throw new TidemarkError('CONFIG_INVALID', `beacon id ${JSON.stringify(config.beaconId)}: 1 to 64 letters, digits, _ or -`);
  }
  if (config.databases.length === 0) throw new TidemarkError('CONFIG_INVALID', 'no database: give at least one, as sqlite:<path>');
  for (const url of config.databases) parseDatabaseUrl(url);
}
