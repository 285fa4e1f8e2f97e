/** When something that grows will be full, from its levels over the last minutes. */
import { limits } from '../../contracts/limits.ts';

type Levels = Record<string, number>;

export class FillRate {
  readonly #samples: { atMs: number; levels: Levels }[] = [];
  #last: { atMs: number; levels: Levels } | null = null;

  /** Takes levels down; kept are one every few seconds, over some minutes. */
  note(atMs: number, levels: Levels): void {
    this.#last = { atMs, levels };
    const newest = this.#samples.at(-1);
    if (newest && atMs - newest.atMs < limits.capacitySampleMs) return;
    this.#samples.push(this.#last);
    while ((this.#samples[0]?.atMs ?? atMs) < atMs - limits.capacityWindowMs) this.#samples.shift();
  }

  /**
   * Seconds until the first of the levels meets its bound if all go on as they did; 0 at a bound,
   * null when none will.
   */
  secondsUntil(bounds: Levels): number | null {
    const [oldest] = this.#samples;
    const last = this.#last;
    if (!oldest || !last) return null;
    if (Object.entries(bounds).some(([name, bound]) => (last.levels[name] ?? 0) >= bound)) return 0;
    const seconds = (last.atMs - oldest.atMs) / 1000;
    if (seconds * 1000 < limits.capacityWindowMsMin) return null;
    const times = Object.entries(bounds).flatMap(([name, bound]) => {
      const now = last.levels[name] ?? 0;
      const perSecond = (now - (oldest.levels[name] ?? 0)) / seconds;
      return perSecond > 0 ? [(bound - now) / perSecond] : [];
    });
    const first = Math.min(...times);
    return first <= limits.timeToFullSecondsMax ? Math.round(first) : null;
  }
}
