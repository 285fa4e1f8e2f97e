/**
 * Prometheus metrics of the worker: events of this process, and gauges read at each scrape.
 * docs/METRICS.md describes each.
 */
import { Gauge } from '@prometheus-io/client';
import type { Lane } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Local } from '../journal/local.ts';
import { Gauges, type GaugeSources } from './gauges.ts';
import { LoopDelay } from './loop-delay.ts';
import type { Meter } from './meter.ts';
import type { Overview } from '../operators/overview.ts';
import { versionOf } from '../state/schema/migrate.ts';

export type MetricsOptions = {
  overview: Pick<Overview, 'lane' | 'balance' | 'dedup'>;
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
  readonly #loopDelay: LoopDelay;

  constructor(
    meter: Meter,
    { overview, local, clock, version, capacity, process }: MetricsOptions,
  ) {
    const { store, journal, marks, refused } = local;
    this.#meter = meter;
    this.#loopDelay = new LoopDelay(clock);
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
      dedup: () => overview.dedup(),
      loopDelay: () => this.#loopDelay.get(),
      store: () => ({
        fileBytes: store.bytes(),
        walBytes: store.logBytes(),
        schemaVersion: versionOf(store.db),
        faults: Number(faults.get()),
        refused: refused.count(),
      }),
    };
  }

  start(): void {
    this.#loopDelay.start();
  }

  stop(): void {
    this.#loopDelay.stop();
  }

  /**
   * The exposition text. Throws SQLite's error when the store cannot be read, so that the failing
   * scrape is noticed.
   */
  async text(): Promise<string> {
    this.#gauges.collect(this.#sources);
    return this.#meter.registry.metrics();
  }

  get contentType(): string {
    return this.#meter.registry.contentType;
  }
}

/**
 * Counting a million pending entries takes 25 ms, during which nothing is answered; then it is
 * counted at most every 25 s.
 */
const timesItsCost = 1_000;

/**
 * The balance of I10 for frequent callers. It is counted entry by entry, but takes at most a
 * thousandth of the time.
 */
export class BalanceCheck {
  readonly #count: (lane: Lane) => number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #last = new Map<Lane, { difference: number; againMs: number }>();

  constructor(count: (lane: Lane) => number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#count = count;
    this.#clock = clock;
  }

  /** The current difference, or the last one counted. */
  difference(lane: Lane): number {
    const startMs = this.#clock.monotonicMs();
    const last = this.#last.get(lane);
    if (last && startMs < last.againMs) return last.difference;
    const difference = this.#count(lane);
    const endMs = this.#clock.monotonicMs();
    this.#last.set(lane, { difference, againMs: endMs + timesItsCost * (endMs - startMs) });
    return difference;
  }
}
