/**
 * Prometheus counters and histograms for events of this process. They start at zero with the
 * process, and every series exists from the start.
 */
import { Counter, Histogram, Registry } from '@prometheus-io/client';
import { laneOf, type WriteAction, writeActions } from '../../contracts/actions.ts';
import { type RefusalCode, refusalStatus } from '../../contracts/errors.ts';
import type { Outcome } from '../../contracts/mutation.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';

/** Why a write became a dead letter: the outcome the backend gave. */
const deadReasons = ['conflict', 'rejected'] as const satisfies readonly Outcome[];

/** A commit is one disk sync: 0.1 ms on some disks, a second on a failing one. */
const commitSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
/**
 * A delivery takes as long as the database needs for up to `deliverEntriesMax` entries, at most
 * `capabilityMs`.
 */
const flushSeconds = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

export class Meter {
  readonly registry = new Registry();
  readonly #accepted: Counter<'lane' | 'action'>;
  readonly #rejected: Counter<'reason'>;
  readonly #conflicts: Counter;
  readonly #dead: Counter<'reason'>;
  readonly #faults: Counter;
  readonly #commits: Histogram;
  readonly #flushes: Histogram<'lane'>;

  constructor() {
    const registers = [this.registry];
    this.#accepted = new Counter({
      name: 'tidemark_accepted_total',
      help: 'Writes accepted by this process, without duplicates.',
      labelNames: ['lane', 'action'],
      registers,
    });
    this.#rejected = new Counter({
      name: 'tidemark_rejected_total',
      help: 'Writes and reads of hubs refused, by the code of the refusal.',
      labelNames: ['reason'],
      registers,
    });
    this.#conflicts = new Counter({
      name: 'tidemark_conflict_total',
      help: 'Writes refused because their EventGUID was known with other content.',
      registers,
    });
    this.#dead = new Counter({
      name: 'tidemark_dead_lettered_total',
      help: 'Writes that became dead letters, by the outcome at the backend; a retry refused again counts again.',
      labelNames: ['reason'],
      registers,
    });
    this.#faults = new Counter({
      name: 'tidemark_faults_total',
      help: 'Faults of delivery reported to operators.',
      registers,
    });
    this.#commits = new Histogram({
      name: 'tidemark_commit_duration_seconds',
      help: 'Duration of one synced commit of the journal, with all its writes.',
      buckets: commitSeconds,
      registers,
    });
    this.#flushes = new Histogram({
      name: 'tidemark_flush_duration_seconds',
      help: 'Time from sending a delivery to its answer, failures included.',
      labelNames: ['lane'],
      buckets: flushSeconds,
      registers,
    });
    for (const action of writeActions)
      this.#accepted.inc({ lane: laneOf(action) as Lane, action }, 0);
    for (const reason of Object.keys(refusalStatus)) this.#rejected.inc({ reason }, 0);
    for (const reason of deadReasons) this.#dead.inc({ reason }, 0);
    for (const lane of lanes) this.#flushes.zero({ lane });
  }

  /** Records one commit: its duration, and the actions of its new writes. */
  committed(seconds: number, actions: readonly WriteAction[]): void {
    this.#commits.observe(seconds);
    const counts = new Map<WriteAction, number>();
    for (const action of actions) counts.set(action, (counts.get(action) ?? 0) + 1);
    for (const [action, count] of counts)
      this.#accepted.inc({ lane: laneOf(action) as Lane, action }, count);
  }

  rejected(reason: RefusalCode): void {
    this.#rejected.inc({ reason });
    if (reason === 'CONFLICT') this.#conflicts.inc();
  }

  flushed(lane: Lane, seconds: number): void {
    this.#flushes.observe({ lane }, seconds);
  }

  /** @param reason the dead letter's reason; only the outcome before its colon becomes a label */
  deadLettered(reason: string): void {
    this.#dead.inc({
      reason: deadReasons.find((one) => reason.startsWith(`${one}:`)) ?? 'rejected',
    });
  }

  fault(): void {
    this.#faults.inc();
  }
}
