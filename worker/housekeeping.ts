/** What the worker does for its own store now and then: looks how full it is, lets go of what is delivered, gives room back to the disk. */
import { TidemarkError } from '../contracts/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Pressure } from './pressure.ts';
import type { Retention } from './retention.ts';
import type { Connection } from './state/connection.ts';
import { Space } from './state/space.ts';
import { isCapacityError } from './state/store.ts';

const sweepEveryMs = 60_000;

/** Runs until the returned function is called. A full disk is no fault; anything else that fails here is. */
export function startHousekeeping(parts: { db: Connection; retention: Retention; pressure: Pressure; clock: Clock; onFault: (error: TidemarkError) => void }): () => void {
  const { db, retention, pressure, clock } = parts;
  const onFault = (error: unknown) => {
    if (isCapacityError(error)) return pressure.full();
    parts.onFault(error instanceof TidemarkError ? error : new TidemarkError('STORAGE_FAILED', `housekeeping failed: ${String(error)}`, { cause: error }));
  };
  const space = new Space({ db, clock, onFault });
  pressure.start();
  space.start();
  const stopSweeping = clock.every(sweepEveryMs, () => void retention.sweep().catch(onFault));
  return () => {
    stopSweeping();
    space.stop();
    pressure.stop();
  };
}
