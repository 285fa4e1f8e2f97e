/**
 * Health of the whole worker. It answers whatever is broken: a part that cannot be read is left
 * out, and the error is given in its place.
 */
import type { TidemarkError } from '../../contracts/errors.ts';
import { type Clock, isoOf, newUuid } from '../../runtime/clock.ts';
import { incumbentSummaries } from '../incumbent/incumbent-table.ts';
import type { Store } from '../state/store.ts';
import type { Maintenance } from '../upkeep/maintenance.ts';
import type { Core } from './core.ts';
import { localHealth } from './local-health.ts';

export type HealthOptions = {
  core: Pick<Core, 'delivery' | 'hub' | 'operators' | 'unready'>;
  maintenance: Pick<Maintenance, 'summary'>;
  store: Store;
  clock: Clock;
};

export class Health {
  /** The fault that ends the process, once there is one. */
  fault: TidemarkError | null = null;
  readonly #parts: HealthOptions;
  readonly #nonce = newUuid();

  constructor(parts: HealthOptions) {
    this.#parts = parts;
  }

  view(): object {
    const { core, maintenance, store, clock } = this.#parts;
    return {
      Nonce: this.#nonce,
      Pid: process.pid,
      At: isoOf(clock.nowMs()),
      ...facts(() => ({ Ready: core.unready() === null, Reason: core.unready() })),
      ...facts(() => core.operators.overview.status()),
      ...facts(() => ({ Ops: maintenance.summary(), Legacy: incumbentSummaries(store.db) })),
      ...localHealth({
        store,
        fault: this.fault,
        lastCommitMs: core.hub.intake.lastCommitMs,
        capacity: core.delivery.pressure.capacity(),
        nowMs: clock.nowMs(),
      }),
    };
  }

  /**
   * A one-line summary.
   * @throws while the store cannot be read
   */
  summary(): string {
    const { overview } = this.#parts.core.operators;
    return this.fault
      ? this.fault.message
      : `${overview.status().State}, ${overview.pending('queue') + overview.pending('manifest')} pending`;
  }
}

function facts<T extends object>(read: () => T): Partial<T> {
  try {
    return read();
  } catch {
    return {};
  }
}
