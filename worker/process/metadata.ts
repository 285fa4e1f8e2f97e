/** What a worker says of itself to whoever pings it, as it is at that moment. */
import type { Local } from '../journal/local.ts';

export function metadataOf(
  hubId: string,
  { store, journal }: Pick<Local, 'store' | 'journal'>,
  console: string,
  startedAt: string,
): Record<string, string> {
  const { owners } = journal;
  return {
    hub: hubId,
    Console: console,
    Role: 'active',
    Store: store.storeId,
    get Owner() {
      return owners.current.owner;
    },
    get Term() {
      return String(owners.current.term ?? 0);
    },
    StartedAt: startedAt,
  };
}
