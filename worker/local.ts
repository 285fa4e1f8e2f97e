/** The worker's local state: everything that reads or writes state.db, made from one open store. */
import { HeldStore } from '../hwm/held-store.ts';
import { MarkStore } from '../hwm/mark-store.ts';
import { Journal } from './journal.ts';
import { Projection } from './projection.ts';
import { Refused } from './refused.ts';
import type { Store } from './store.ts';

export type Local = { store: Store; journal: Journal; marks: MarkStore; held: HeldStore; projection: Projection; refused: Refused };

export function openLocal(store: Store, hubId: string): Local {
  const journal = new Journal(store.db, hubId);
  return {
    store,
    journal,
    marks: new MarkStore(store.db),
    held: new HeldStore(store.db),
    projection: new Projection(store.db, journal),
    refused: new Refused(store.db),
  };
}
