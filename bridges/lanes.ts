/** From a journal entry to its mutation, whatever its lane. */
import { laneOf } from '../contracts/actions.ts';
import type { RowMutation } from '../contracts/mutation.ts';
import type { Entry } from './entry.ts';
import { manifestMutation } from './manifest-bridge.ts';
import { queueMutation } from './queue-bridge.ts';

/** The one mutation an accepted write is at the backend. */
export function toMutation(entry: Entry): RowMutation {
  return laneOf(entry.action) === 'manifest' ? manifestMutation(entry) : queueMutation(entry);
}
