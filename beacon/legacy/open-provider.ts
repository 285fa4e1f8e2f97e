/** Providers by their names, and what presence says of one. */
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import type { ConnectionPresence } from '../../contracts/presence.ts';
import type { Log } from '../../runtime/log.ts';
import type { ProviderName } from '../databases/config.ts';
import { MemoryProvider } from './memory-provider.ts';
import type { LegacyProvider } from './provider.ts';
import { SqliteProvider } from './sqlite-provider.ts';

/** The provider of that name; a file lies in the data folder. */
export function openProvider(name: ProviderName, dataDir: string): LegacyProvider {
  return name === 'memory'
    ? new MemoryProvider()
    : new SqliteProvider(join(dataDir, 'legacy.sqlite'));
}

/** Its one store, in the place of a database; the number says nothing. */
export function connectionOf(provider: LegacyProvider, log: Log): ConnectionPresence {
  const one = { IDBeaconConnection: 1, Name: 'legacy', Engine: provider.name };
  try {
    return { ...one, Connected: true, StoreID: provider.storeId() };
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the rows cannot be reached');
    return { ...one, Connected: false, StoreID: '' };
  }
}
