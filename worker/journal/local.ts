/** The worker's local state: everything that reads or writes state.db, made from one open store. */
import { TidemarkError } from '../../contracts/errors.ts';
import { BlockedStore } from '../../hwm/blocked-store.ts';
import { MarkStore } from '../../hwm/mark-store.ts';
import { Journal } from './journal.ts';
import { Projection } from './projection.ts';
import { Refused } from './refused.ts';
import type { Store } from '../state/store.ts';

export type Local = {
  store: Store;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  projection: Projection;
  refused: Refused;
};

/**
 * A journal belongs to the hub it was made for: its entries would otherwise reach the database
 * under another hub's name.
 * @throws TidemarkError CONFIG_INVALID when the store is another hub's
 */
export function openLocal(store: Store, hubId: string): Local {
  const owner = store.meta('hub');
  if (owner !== undefined && owner !== hubId) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${store.dataDir} holds the journal of hub ${owner}; start it with --hub ${owner}, ` +
        `or give hub ${hubId} its own --data`,
    );
  }
  if (owner === undefined) store.setMeta('hub', hubId);
  const journal = new Journal(store.db, hubId);
  return {
    store,
    journal,
    marks: new MarkStore(store.db),
    blocked: new BlockedStore(store.db),
    projection: new Projection(store, journal),
    refused: new Refused(store.db),
  };
}
