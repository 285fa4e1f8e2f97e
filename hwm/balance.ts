/**
 * How a lane's entries add up for its database (I10): what is pending, and the balance. Pure
 * functions of counts that the caller has read.
 */
import type { Balance } from '../contracts/status.ts';

/** Accepted entries of a lane, and how many of them are stripped. */
export type EntryCounts = { accepted: number; stripped: number };

/** Entries up to a mark, by how they were settled. */
export type SettledCounts = {
  applied: number;
  present: number;
  superseded: number;
  skipped: number;
};

/**
 * How many entries are accepted and not settled, without counting them one by one. `givenUp` counts
 * the dead letters, dropped ones included. Without a mark, every entry with a body is pending.
 */
export function pendingOf(
  { accepted, stripped }: EntryCounts,
  mark: SettledCounts | null,
  givenUp: number,
): number {
  if (!mark) return accepted - stripped;
  return accepted - mark.applied - mark.present - mark.superseded - mark.skipped - givenUp;
}

/**
 * The whole balance. `pending` must have been counted entry by entry: only then does a difference
 * of zero prove something.
 */
export function balanceOf(
  { accepted, stripped }: EntryCounts,
  mark: SettledCounts | null,
  { pending, givenUp }: { pending: number; givenUp: number },
): Balance {
  const { applied, present, superseded, skipped } = mark ?? {
    applied: 0,
    present: 0,
    superseded: 0,
    skipped: stripped,
  };
  return {
    Accepted: accepted,
    Applied: applied,
    AlreadyPresent: present,
    Superseded: superseded,
    Pending: pending,
    DeadLettered: givenUp,
    Skipped: skipped,
    Difference: accepted - applied - present - superseded - pending - givenUp - skipped,
  };
}
