/**
 * How much a step of background work takes on, so that it stays within its time: what fits on one
 * machine takes ten times as long on another, and a large body as long as a hundred small ones.
 */

export class StepSize {
  readonly #most: number;
  readonly #boundMs: number;
  #entries: number;

  constructor(most: number, boundMs: number) {
    this.#most = most;
    this.#boundMs = boundMs;
    this.#entries = most;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Half of it after a step that took too long; a little more after each that did not. */
  took(ms: number): void {
    this.#entries =
      ms > this.#boundMs
        ? Math.max(1, Math.floor(this.#entries / 2))
        : Math.min(this.#most, this.#entries + Math.ceil(this.#most / 50));
  }
}
