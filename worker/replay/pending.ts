/** How many entries of a lane are on their way to its database. */
import type { Lane } from '../../contracts/subjects.ts';
import { pendingOf } from '../../hwm/balance.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Local } from '../journal/local.ts';

/** Accepted and not settled, from the counts: cheap enough for every write. */
export function pendingAt(
  { journal, blocked }: Pick<Local, 'journal' | 'blocked'>,
  lane: Lane,
  mark: Mark | null,
): number {
  const givenUp = mark ? blocked.countGivenUp(mark.database, lane) : 0;
  return pendingOf(journal.counts(lane), mark, givenUp);
}
