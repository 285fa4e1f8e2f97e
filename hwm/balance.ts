/** How a lane's entries add up for its database (I10): pure, from counts somebody else has read. */
import type { Balance } from '../contracts/status.ts';

/** Entries of a lane, and how many of them gave up their bodies. */
export type EntryCounts = { accepted: number; stripped: number };

/** Entries up to a mark, by how they were settled. */
export type SettledCounts = {
  applied: number;
  present: number;
  superseded: number;
  skipped: number;
};

/**
 * Accepted and not settled, without counting entries one by one. `givenUp` are the dead letters,
 * dropped ones included. Without a mark what still has its body is pending.
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
 * All of it, with `pending` counted entry by entry: only then does a difference of zero say
 * something.
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
