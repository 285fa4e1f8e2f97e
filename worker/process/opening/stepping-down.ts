/**
 * The end of a worker that does not own its hub: its store is well and is closed, and what it still
 * has is named. Where a process that ends is only started again, it stays up, not ready.
 */
import { processExit, type TidemarkError } from '../../../contracts/errors.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { Log } from '../../../runtime/log.ts';
import { WaitingRoom } from '../../http/waiting-room.ts';
import type { Opened } from './opening.ts';

/** @returns the exit code */
export async function stepDown(
  error: TidemarkError,
  { local, http, access }: Opened,
  { stays, stopped, log }: { stays: boolean; stopped: Promise<unknown>; log: Log },
): Promise<number> {
  log.error({ reason: error.message }, 'another store owns the hub; this worker does not serve it');
  local.store.close();
  if (stays) {
    const room = new WaitingRoom({ http, access, clock: systemClock });
    await room.say(error.message, (since) => ({ Deposed: { Since: since } }));
    await stopped;
    await room.close();
  }
  return processExit.DEPOSED;
}
