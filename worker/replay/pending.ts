/** How many entries of a lane are on their way to its database. */
import type { Lane } from '../../contracts/subjects.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Local } from '../journal/local.ts';

/** Accepted and not settled, from the counts: cheap enough for every write. */
export function pendingOf(
  { journal, blocked }: Pick<Local, 'journal' | 'blocked'>,
  lane: Lane,
  mark: Mark | null,
): number {
  const { accepted, stripped } = journal.counts(lane);
  if (!mark) return accepted - stripped;
  return (
    accepted -
    mark.skipped -
    mark.applied -
    mark.present -
    blocked.count(mark.database, lane, 'dead') -
    blocked.count(mark.database, lane, 'dropped')
  );
}
