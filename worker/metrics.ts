/** Prometheus metrics. Gauges are read from the stores at each scrape, never kept by adding and subtracting. */
import { Counter, Gauge, Registry } from '@prometheus-io/client';
import { lanes } from '../contracts/subjects.ts';
import type { Overview } from './overview.ts';

const states = ['unassigned', 'waiting-for-beacon', 'bootstrapping', 'bootstrapped', 'error'] as const;

export class Metrics {
  readonly #registry = new Registry();
  readonly #refusals: Counter<'code'>;
  readonly #faults: Counter;

  constructor(overview: Overview, about: { version: string; journalBytes: () => number; waiting: () => number }) {
    const gauge = (name: string, help: string, labelNames: string[] = []) => new Gauge({ name: `tidemark_${name}`, help, labelNames, registers: [this.#registry] });
    const accepted = gauge('journal_accepted', 'Writes accepted since this journal began.', ['lane']);
    const pending = gauge('journal_pending', 'Writes accepted and not settled.', ['lane']);
    const oldest = gauge('journal_oldest_pending_seconds', 'Age of the oldest write behind no mark.', ['lane']);
    const dead = gauge('dead_letters', 'Writes the backend refused for good.', ['lane']);
    const settled = gauge('journal_settled', 'Writes settled at the assigned database.', ['lane', 'result']);
    const difference = gauge('balance_difference', 'accepted - applied - duplicate - pending - dead-lettered - skipped; must be zero.', ['lane']);
    const state = gauge('lane_state', '1 for the state the lane is in.', ['lane', 'state']);
    const bytes = gauge('journal_size_bytes', 'Bytes of the journal and its log on disk.');
    const bytesMax = gauge('journal_bytes_max', 'Bytes in use at which writes are refused.');
    const pendingMax = gauge('journal_pending_max', 'Undelivered writes at which writes are refused.');
    const freeBytes = gauge('disk_free_bytes', 'Room on the disk of the journal.');
    const freeMin = gauge('disk_free_bytes_min', 'Room on the disk below which writes are refused.');
    const reserve = gauge('disk_reserve_bytes', 'Room held for delivering while the disk is full.');
    const refusing = gauge('intake_refusing', '1 while writes are refused for room.');
    const timeToFull = gauge('time_to_full_seconds', 'When the first bound is met if all goes on as in the last minutes; +Inf when none will be.');
    const waiting = gauge('intake_waiting', 'Writes waiting for a commit.');
    const connected = gauge('bus_connected', '1 while the bus is there.');
    gauge('build_info', 'Version of the worker.', ['version']).set({ version: about.version }, 1);
    this.#refusals = new Counter({ name: 'tidemark_refusals_total', help: 'Requests refused, by code.', labelNames: ['code'], registers: [this.#registry] });
    this.#faults = new Counter({ name: 'tidemark_faults_total', help: 'Faults an operator was told of.', registers: [this.#registry] });
    this.#collect = () => {
      for (const lane of lanes) {
        const status = overview.lane(lane);
        const balance = overview.balance(lane);
        accepted.set({ lane }, balance.Accepted);
        pending.set({ lane }, status.Pending);
        oldest.set({ lane }, status.OldestPendingMs / 1000);
        dead.set({ lane }, balance.DeadLettered);
        settled.set({ lane, result: 'applied' }, balance.Applied);
        settled.set({ lane, result: 'duplicate' }, balance.AlreadyPresent);
        difference.set({ lane }, balance.Difference);
        for (const one of states) state.set({ lane, state: one }, one === status.State ? 1 : 0);
      }
      bytes.set(about.journalBytes());
      const capacity = overview.status().Capacity;
      bytesMax.set(capacity.BytesMax);
      pendingMax.set(capacity.PendingMax);
      freeBytes.set(capacity.FreeBytes ?? Number.NaN);
      freeMin.set(capacity.FreeBytesMin ?? Number.NaN);
      reserve.set(capacity.ReserveBytes);
      refusing.set(capacity.Refusing === null ? 0 : 1);
      timeToFull.set(capacity.TimeToFullSeconds ?? Number.POSITIVE_INFINITY);
      waiting.set(about.waiting());
      connected.set(overview.status().Bus.Connected ? 1 : 0);
    };
  }

  readonly #collect: () => void;

  countRefusal(code: string): void {
    this.#refusals.inc({ code });
  }

  countFault(): void {
    this.#faults.inc();
  }

  /** The exposition text. */
  async text(): Promise<string> {
    this.#collect();
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
