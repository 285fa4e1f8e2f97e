/** Opens providers by name, and describes one for presence. */
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import type { ConnectionPresence } from '../../contracts/presence.ts';
import type { Log } from '../../runtime/log.ts';
import type { ProviderName } from '../databases/config.ts';
import { MemoryProvider } from './memory-provider.ts';
import type { LegacyProvider } from './provider.ts';
import { SqliteProvider } from './sqlite-provider.ts';

/** The SQLite file is in the data folder. */
export function openProvider(name: ProviderName, dataDir: string): LegacyProvider {
  return name === 'memory'
    ? new MemoryProvider()
    : new SqliteProvider(join(dataDir, 'legacy.sqlite'));
}

/** The provider's store, announced like a database; its connection number has no meaning. */
export function connectionOf(provider: LegacyProvider, log: Log): ConnectionPresence {
  const one = { IDBeaconConnection: 1, Name: 'legacy', Engine: provider.name };
  try {
    return { ...one, Connected: true, StoreID: provider.storeId() };
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the provider cannot be reached');
    return { ...one, Connected: false, StoreID: '' };
  }
}
