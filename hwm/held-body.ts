/** Whether a row of held still has its body, as a condition on table held. */
export const heldHasBody =
  'case held.lane when 0 then exists (select 1 from queue_entry e where e.seq = held.seq) ' +
  'else exists (select 1 from manifest_entry e where e.seq = held.seq) end';
