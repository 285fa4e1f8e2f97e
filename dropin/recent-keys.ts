/** The keys that were met last, so many of them: what is forgotten is met anew. */
export class RecentKeys {
  readonly #keys = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** True when the key was not known. */
  add(key: string): boolean {
    const isNew = !this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size > this.#max) {
      const [oldest = ''] = this.#keys;
      this.#keys.delete(oldest);
    }
    return isNew;
  }
}
