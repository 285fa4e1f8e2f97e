/**
 * Prometheus metrics of the worker: what this process did, and what is true at the moment of a
 * scrape. docs/METRICS.md says what each means.
 */
import { Gauge } from '@prometheus-io/client';
import type { Clock } from '../../runtime/clock.ts';
import type { Local } from '../journal/local.ts';
import { BalanceCheck } from './balance-check.ts';
import { Gauges, type GaugeSources } from './gauges.ts';
import type { Meter } from './meter.ts';
import type { Overview } from '../operators/overview.ts';
import { versionOf } from '../state/schema/migrate.ts';

export type MetricsOptions = {
  overview: Pick<Overview, 'lane' | 'balance'>;
  local: Pick<Local, 'store' | 'journal' | 'marks' | 'refused'>;
  clock: Clock;
  version: string;
  capacity: GaugeSources['capacity'];
  process: GaugeSources['process'];
};

export class Metrics {
  readonly #meter: Meter;
  readonly #gauges: Gauges;
  readonly #sources: GaugeSources;

  constructor(
    meter: Meter,
    { overview, local, clock, version, capacity, process }: MetricsOptions,
  ) {
    const { store, journal, marks, refused } = local;
    this.#meter = meter;
    new Gauge({
      name: 'tidemark_build_info',
      help: 'Version of the worker; always 1.',
      labelNames: ['version'],
      registers: [meter.registry],
    }).set({ version }, 1);
    this.#gauges = new Gauges(meter.registry);
    const balance = new BalanceCheck((lane) => overview.balance(lane).Difference, clock);
    const faults = store.db.prepare<[], number>('select coalesce(max(id), 0) from fault').pluck();
    this.#sources = {
      lane: (lane) => overview.lane(lane),
      accepted: (lane) => journal.counts(lane).accepted,
      marks: (lane) => marks.list(lane),
      difference: (lane) => balance.difference(lane),
      capacity,
      process,
      store: () => ({
        fileBytes: store.bytes(),
        walBytes: store.logBytes(),
        schemaVersion: versionOf(store.db),
        faults: Number(faults.get()),
        refused: refused.count(),
      }),
    };
  }

  /**
   * The exposition text. Throws what SQLite throws when the store cannot be read: a scrape that
   * fails is seen.
   */
  async text(): Promise<string> {
    this.#gauges.collect(this.#sources);
    return this.#meter.registry.metrics();
  }

  get contentType(): string {
    return this.#meter.registry.contentType;
  }
}
