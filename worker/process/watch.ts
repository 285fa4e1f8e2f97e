/**
 * What keeps an eye on the store of a running worker: the look at its files, the pulse for the
 * service manager, and the last look, which saves what a lost file still holds.
 */
import { messageOf, type TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { classOf, endsTheProcess, toStoreFault } from '../state/guard/storage-error.ts';
import { rescue } from '../state/recover/rescue.ts';
import { isCapacityError, type Store } from '../state/store.ts';

/**
 * Starts looking; the returned function stops it. Nothing that fails in here ends the process by
 * itself, and it does not keep it alive.
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
          'the look at the state files failed; trying again',
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
  /** One line on how things are. */
  summary: () => string;
};

/**
 * Makes the look: the line while writes are being committed, or while a commit made to see works;
 * null when it does not. A full disk is no reason to be started again: the worker refuses writes
 * then, and goes on by itself when there is room.
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
 * Saves if the handle may hold entries that are nowhere else: the error says so, or the files do,
 * whatever the error was about. False when the files are whole.
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
    'saved; ending, so that a fresh process puts it together',
  );
  return true;
}
