/**
 * The balance of I10 for whoever asks often: counted entry by entry, and never more than a
 * thousandth of the time is spent on it.
 */
import type { Lane } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';

/**
 * Counting a million entries that wait takes 25 ms in which nothing is answered: then it is done
 * every 25 s at most.
 */
const timesItsCost = 1_000;

export class BalanceCheck {
  readonly #count: (lane: Lane) => number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #last = new Map<Lane, { difference: number; againMs: number }>();

  constructor(count: (lane: Lane) => number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#count = count;
    this.#clock = clock;
  }

  /** The difference now, or as it was when it was last counted. */
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
