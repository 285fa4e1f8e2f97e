/**
 * Whether the worker can still do its one work, commit a write: asked by the service manager's
 * watchdog, answered by a commit.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isCapacityError, type Store } from '../state/store.ts';

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
