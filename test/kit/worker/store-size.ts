/** What a store's file holds: pages of each table and index, for figures an entry. */
import type { Connection } from '../../../worker/state/connection.ts';

/** Bytes in use, pages that are free left out. */
export function bytesInUse(db: Connection): number {
  const number = (pragma: string) => Number(db.pragma(pragma, { simple: true }));
  return (number('page_count') - number('freelist_count')) * number('page_size');
}
