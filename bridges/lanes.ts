/** Translates a journal entry into its mutation, whichever lane it belongs to. */
import { laneOf } from '../contracts/actions.ts';
import type { RowMutation } from '../contracts/mutation.ts';
import type { Entry } from './entry.ts';
import { manifestMutation } from './manifest-bridge.ts';
import { queueMutation } from './queue-bridge.ts';

/** An accepted write is exactly one mutation at the backend. */
export function toMutation(entry: Entry): RowMutation {
  const mutation =
    laneOf(entry.action) === 'manifest' ? manifestMutation(entry) : queueMutation(entry);
  if (entry.term !== undefined) mutation.Term = entry.term;
  return mutation;
}
