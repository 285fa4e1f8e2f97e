/**
 * How much a step of background work takes on, so that it stays within its time: what fits on one
 * machine takes ten times as long on another, and a large body as long as a hundred small ones.
 */

export class StepSize {
  readonly #least: number;
  readonly #most: number;
  readonly #boundMs: number;
  #entries: number;

  /** @param least for work that must keep up with what comes, however busy the machine is */
  constructor(bounds: { least?: number; most: number; ms: number }) {
    this.#least = bounds.least ?? 1;
    this.#most = bounds.most;
    this.#boundMs = bounds.ms;
    this.#entries = bounds.most;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Half of it after a step that took too long; a little more after each that did not. */
  took(ms: number): void {
    this.#entries =
      ms > this.#boundMs
        ? Math.max(this.#least, Math.floor(this.#entries / 2))
        : Math.min(this.#most, this.#entries + Math.ceil(this.#most / 50));
  }
}
