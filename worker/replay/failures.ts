/**
 * Decides what a failed delivery means: a problem of our own disk or store, or one of the beacon,
 * whose schema is then checked again unless it is only slow.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Lane } from '../../contracts/subjects.ts';
import { isLate } from '../../runtime/bus/bus-answer.ts';
import { classOf, endsTheProcess, isOfStore, toStoreFault } from '../state/guard/storage-error.ts';
import type { Destinations } from './destinations.ts';

export type FailuresOptions = {
  destinations: Pick<Destinations, 'directory' | 'assignments'>;
  /** A delivery could not be settled because the disk is full. */
  onFull: () => void;
  /** The local store failed while settling; the process must end. */
  onStoreFault: (error: TidemarkError) => void;
};

export class Failures {
  readonly #parts: FailuresOptions;
  /** Consecutive unclassified failures of our own store. */
  #strikes = 0;

  constructor(parts: FailuresOptions) {
    this.#parts = parts;
  }

  /** A delivery was settled, so the store works. */
  settled(): void {
    this.#strikes = 0;
  }

  failed(lane: Lane, beacon: string, error: unknown): void {
    const { destinations, onFull, onStoreFault } = this.#parts;
    // A full disk of our own says nothing about the beacon.
    const found = classOf(error);
    if (found === 'capacity') return onFull();
    if (found === 'transient') return;
    if (endsTheProcess(found)) return onStoreFault(toStoreFault(error));
    if (isOfStore(error)) {
      this.#strikes += 1;
      if (this.#strikes >= limits.storeStrikesMax) onStoreFault(toStoreFault(error));
      return;
    }
    destinations.directory.markAwayIfUnreachable(beacon, error);
    if (!isSlowness(error)) destinations.assignments.targetOf(lane)?.recheckSchema();
  }
}

/**
 * A beacon with too much to do: another bootstrap would add to it, and hold up the other lane, which
 * may be fine.
 */
function isSlowness(error: unknown): boolean {
  return isLate(error) || (error instanceof TidemarkError && error.code === 'OVERLOADED');
}
