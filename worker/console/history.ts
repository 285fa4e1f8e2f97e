/**
 * The last half hour of both lanes in numbers, for the console's charts: one sample every two
 * seconds in a ring buffer. Kept in memory only.
 */
import type {
  HistorySample,
  HistoryView,
  LaneColumns,
  LaneLevel,
} from '../../contracts/console-answers.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Clock } from '../../runtime/clock.ts';

export type HistoryOptions = {
  clock: Pick<Clock, 'nowMs' | 'every'>;
  accepted: (lane: Lane) => number;
  pending: (lane: Lane) => number;
};

export class History {
  readonly #parts: HistoryOptions;
  readonly #samples: HistorySample[] = [];
  #next = 0;
  #stop: () => void = () => undefined;

  constructor(parts: HistoryOptions) {
    this.#parts = parts;
  }

  /** Starts sampling. `onSample` gets each sample, and whether it differs from the one before. */
  start(onSample: (sample: HistorySample, isNews: boolean) => void): void {
    this.#stop = this.#parts.clock.every(limits.historySampleMs, () => {
      const before = this.newest();
      const sample = this.#take();
      onSample(sample, !before || lanes.some((lane) => differ(before, sample, lane)));
    });
  }

  stop(): void {
    this.#stop();
  }

  newest(): HistorySample | undefined {
    return this.#samples[(this.#next + this.#samples.length - 1) % this.#samples.length];
  }

  view(): HistoryView {
    const view: HistoryView = {
      SampleMs: limits.historySampleMs,
      At: [],
      Queue: columns(),
      Manifest: columns(),
    };
    for (let n = 0; n < this.#samples.length; n += 1) {
      const sample = this.#samples[(this.#next + n) % this.#samples.length] as HistorySample;
      view.At.push(sample.At);
      for (const lane of ['Queue', 'Manifest'] as const) {
        view[lane].Accepted.push(sample[lane].Accepted);
        view[lane].Settled.push(sample[lane].Settled);
        view[lane].Pending.push(sample[lane].Pending);
      }
    }
    return view;
  }

  #take(): HistorySample {
    const sample = {
      At: this.#parts.clock.nowMs(),
      Queue: this.#level('queue'),
      Manifest: this.#level('manifest'),
    };
    if (this.#samples.length < limits.historySamplesMax) this.#samples.push(sample);
    else {
      // Overwrite the oldest sample.
      this.#samples[this.#next] = sample;
      this.#next = (this.#next + 1) % this.#samples.length;
    }
    return sample;
  }

  #level(lane: Lane): LaneLevel {
    const [accepted, pending] = [this.#parts.accepted(lane), this.#parts.pending(lane)];
    return { Accepted: accepted, Settled: accepted - pending, Pending: pending };
  }
}

function columns(): LaneColumns {
  return { Accepted: [], Settled: [], Pending: [] };
}

function differ(a: HistorySample, b: HistorySample, lane: Lane): boolean {
  const name = lane === 'queue' ? 'Queue' : 'Manifest';
  return a[name].Accepted !== b[name].Accepted || a[name].Pending !== b[name].Pending;
}
