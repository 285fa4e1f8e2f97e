/** How many entries of a lane are on their way to its database. */
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { pendingOf } from '../../hwm/balance.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Local } from '../journal/local.ts';
import type { MetOwner } from '../state/owners.ts';

/** Accepted and not settled, from the counts: cheap enough for every write. */
export function pendingAt(
  { journal, blocked }: Pick<Local, 'journal' | 'blocked'>,
  lane: Lane,
  mark: Mark | null,
): number {
  const givenUp = mark ? blocked.countGivenUp(mark.database, lane) : 0;
  return pendingOf(journal.counts(lane), mark, givenUp);
}

type Held = Pick<Local, 'store' | 'journal' | 'marks' | 'blocked'>;

/** Why this store does not serve any more, and what it still has that no database does. */
export function deposed(local: Held, met: MetOwner): TidemarkError {
  return new TidemarkError(
    'DEPOSED',
    `hub ${local.store.meta('hub')} belongs to another store (owner ${met.owner}, Term ${met.term}, ` +
      `seen at ${met.where}): this one, ${local.store.dataDir}, does not serve it. ` +
      `${undelivered(local)} To make this one the owner again start it with --take-over`,
  );
}

/** What is accepted here and in no database, in words. */
export function undelivered(local: Held): string {
  const waiting = lanes.flatMap((lane) => {
    const mark = local.marks.assigned(lane);
    const count = pendingAt(local, lane, mark);
    if (count === 0) return [];
    const { head } = local.journal.counts(lane);
    return [`${count} of lane ${lane} (mark at Seq ${mark?.seq ?? 0}, last Seq ${head})`];
  });
  if (waiting.length === 0) return 'Everything it accepted was delivered.';
  return (
    `It still has undelivered writes: ${waiting.join(', ')}. Bring them in with ` +
    'tidemark journal export here and tidemark journal import at the other one.'
  );
}
