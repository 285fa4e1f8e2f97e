/** Brings a store of schema 3 all the way: what a serving worker does step by step. */
import type { Connection } from '../../../worker/state/connection.ts';
import { dropOldEntries, OldEntries } from '../../../worker/state/schema/old-entries.ts';

/** Returns how many entries were moved. */
export function moveAll(db: Connection, stepEntries = 7): number {
  if (dropOldEntries(db)) return 0;
  const old = new OldEntries(db);
  let count = 0;
  for (let moved = 1; moved > 0; count += moved) ({ moved } = old.move(stepEntries, 1e9));
  dropOldEntries(db);
  return count;
}
