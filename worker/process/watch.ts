/**
 * Watches the store of a running worker: checks its files, feeds the service manager's watchdog,
 * and in the end rescues what a lost file still holds.
 */
import { messageOf, type TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { classOf, endsTheProcess, toStoreFault } from '../state/guard/storage-error.ts';
import { rescue } from '../state/recover/rescue.ts';
import { isCapacityError, type Store } from '../state/store.ts';

/**
 * Starts checking; the returned function stops it. No failure in here ends the process, and the
 * timer does not keep it alive.
 * @param onFault called at most once, with an error after which nothing may be answered
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
          'the check of the state files failed; trying again',
        );
      stop();
      onFault(toStoreFault(error));
    }
  });
  return stop;
}

export type PulseOptions = {
  store: Pick<Store, 'assertSameFiles' | 'setMeta'>;
  clock: Clock;
  intake: { readonly commits: number };
  /** A one-line summary. */
  summary: () => string;
};

/**
 * Returns the summary while writes are being committed or a test commit succeeds, null otherwise. A
 * full disk must not cause a restart: the worker refuses writes, and continues by itself once there
 * is room.
 */
export function pulseOf({ store, clock, intake, summary }: PulseOptions): () => string | null {
  let seen = -1;
  return () => {
    try {
      store.assertSameFiles();
      if (intake.commits === seen) store.setMeta('pulse', String(clock.nowMs()));
      seen = intake.commits;
      return summary();
    } catch (error) {
      return isCapacityError(error) ? `no room on the disk: ${summary()}` : null;
    }
  };
}

/**
 * Saves the store if its handle may hold entries that are nowhere else: the error says so, or the
 * files do. False when the files are intact.
 * @throws TidemarkError STORAGE_FAILED when nothing can be saved
 */
export function saveIfLost(store: Store, error: unknown, log: Log): boolean {
  if (!store.db.open) return false;
  const finding = store.lookAtFiles();
  if (!endsTheProcess(classOf(error)) && finding === null) return false;
  const { message } = toStoreFault(error);
  log.error({ reason: message }, 'the local store failed; saving what it holds');
  const found = classOf(error);
  const { folder, note } = rescue(
    store,
    { class: finding && !endsTheProcess(found) ? finding.verdict : found, what: message },
    systemClock.nowMs(),
  );
  log.error(
    { folder, kind: note.Kind, entries: note.Entries, lost: note.Lost },
    'saved; ending, so that a new process can repair the store',
  );
  return true;
}
