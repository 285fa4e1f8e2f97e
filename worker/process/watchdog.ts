/**
 * Looks at the state files once a second, for the time when no commit does, and folds the log into
 * the database when it is quiet.
 */
import { messageOf, type TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { classOf, endsTheProcess, toStoreFault } from '../state/guard/storage-error.ts';
import type { Store } from '../state/store.ts';

/**
 * Starts looking; the returned function stops it. Nothing that fails in here ends the process by
 * itself, and it does not keep it alive.
 * @param onFault told at most once, with an error after which nothing may be answered
 */
export function watchFiles(parts: {
  store: Pick<Store, 'assertSameFiles' | 'checkpointWhenQuiet' | 'logBytes' | 'checkpoint'>;
  clock: Clock;
  log: Log;
  onFault: (error: TidemarkError) => void;
}): () => void {
  const { store, clock, log, onFault } = parts;
  const stop = clock.every(limits.guardLookMs, () => {
    try {
      store.assertSameFiles();
      const wasBusy = store.checkpointWhenQuiet();
      if (!wasBusy && store.logBytes() > limits.logBytesIdle) store.checkpoint('truncate');
    } catch (error) {
      if (!endsTheProcess(classOf(error)))
        return log.warn(
          { reason: messageOf(error) },
          'the look at the state files failed; trying again',
        );
      stop();
      onFault(toStoreFault(error));
    }
  });
  return stop;
}
