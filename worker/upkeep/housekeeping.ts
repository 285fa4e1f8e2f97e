/**
 * Starts the regular upkeep of the worker's store: strips and forgets delivered entries, gives room
 * back to the disk, and merges rescues.
 */
import { messageOf, type TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Assignments } from '../beacons/assignments.ts';
import type { Local } from '../journal/local.ts';
import type { Pressure } from '../intake/pressure.ts';
import { Forgetting } from './forgetting.ts';
import { type KeepBounds, usualKeep } from './keep-bounds.ts';
import { OldEntriesMover } from './old-entries-mover.ts';
import { Retention } from './retention.ts';
import type { Finding } from '../state/guard/finding.ts';
import { RescueMerger } from '../state/recover/merge-rescues.ts';
import { Space } from './space.ts';
import { classOf, toStoreFault } from '../state/guard/storage-error.ts';

const sweepEveryMs = 60_000;

export type HousekeepingOptions = {
  local: Local;
  assignments: Assignments;
  clock: Clock;
  log: Log;
  keep?: KeepBounds | undefined;
  /** Called when the disk is full. */
  pressure: Pick<Pressure, 'full'>;
  onFault: (error: TidemarkError) => void;
  /**
   * Called when an earlier worker's rescue was merged while this one runs: its writes are in the
   * journal now.
   */
  onRescued: (findings: readonly Finding[]) => void;
};

export class Housekeeping {
  readonly #parts: HousekeepingOptions;
  readonly #space: Space;
  readonly #retention: Retention;
  readonly #forgetting: Forgetting;
  readonly #mover: OldEntriesMover;
  readonly #rescues: RescueMerger;
  #stopSweeping: () => void = () => undefined;
  #sweeping: Promise<void> | null = null;
  #isStopped = false;
  #stopLooking: () => void = () => undefined;

  constructor(parts: HousekeepingOptions) {
    const { local, assignments, clock, log, keep = usualKeep } = parts;
    const { store } = local;
    this.#parts = parts;
    this.#space = new Space({ store, clock, onFault: (error) => this.#failed(error) });
    this.#retention = new Retention({ ...local, assignments, clock }, keep.retention);
    this.#forgetting = new Forgetting({ ...local, clock }, keep.dedup);
    this.#mover = new OldEntriesMover({ store, clock, log });
    this.#rescues = new RescueMerger(store.db, store.paths);
  }

  start(): void {
    this.#space.start();
    this.#move();
    this.#stopSweeping = this.#parts.clock.every(sweepEveryMs, () => {
      this.#sweeping ??= this.#sweep()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => {
          this.#sweeping = null;
        });
    });
    this.#stopLooking = this.#parts.clock.every(
      limits.rescueLookMs,
      () => void this.#mergeRescues().catch((error: unknown) => this.#failed(error)),
    );
  }

  async #sweep(): Promise<void> {
    const goesOn = () => !this.#isStopped;
    this.#move();
    // Side by side: under full load there is always another body to give up.
    await Promise.all([this.#retention.sweep(goesOn), this.#forgetting.sweep(goesOn)]);
  }

  /** Called again with each sweep, because a full disk or a lock may have ended the last run. */
  #move(): void {
    void this.#mover.run().catch((error: unknown) => this.#failed(error));
  }

  async #mergeRescues(): Promise<void> {
    const findings = await this.#rescues.look();
    if (findings.length > 0) this.#parts.onRescued(findings);
  }

  /**
   * Begins nothing more; resolves when the step under way has ended, behind which the store may be
   * closed.
   */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopSweeping();
    this.#stopLooking();
    this.#rescues.stop();
    this.#mover.stop();
    this.#space.stop();
    await this.#sweeping;
  }

  /** A full disk or a lock is not a fault. Any other error is. */
  #failed(error: unknown): void {
    const found = classOf(error);
    if (found === 'capacity') return this.#parts.pressure.full();
    if (found === 'transient')
      return this.#parts.log.warn(
        { reason: messageOf(error) },
        'the journal is locked; housekeeping goes on later',
      );
    this.#parts.onFault(toStoreFault(error));
  }
}
