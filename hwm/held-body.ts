/** Table held: the states of a row, and the SQL that tells whether its entry still has its body. */

export type BlockedState = 'dead' | 'parked' | 'dropped';

/** SQL condition on a row of held. */
export const heldHasBody =
  'case held.lane when 0 then exists (select 1 from queue_entry e where e.seq = held.seq) ' +
  'else exists (select 1 from manifest_entry e where e.seq = held.seq) end';
