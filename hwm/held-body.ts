/** A row of table held: its states, and whether its entry still has its body. */

export type BlockedState = 'dead' | 'parked' | 'dropped';

/** A condition on table held. */
export const heldHasBody =
  'case held.lane when 0 then exists (select 1 from queue_entry e where e.seq = held.seq) ' +
  'else exists (select 1 from manifest_entry e where e.seq = held.seq) end';
