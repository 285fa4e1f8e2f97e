/**
 * What happened in a simulated run, line by line, as a digest and as its last lines; and what was
 * violated first.
 */
import { createHash } from 'node:crypto';

const linesKept = 160;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];
  #violation: string | null = null;

  get violation(): string | null {
    return this.#violation;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  note(line: string): void {
    this.#hash.update(`${line}\n`);
    this.#lines.push(line);
    if (this.#lines.length > 2 * linesKept) this.#lines.splice(0, linesKept);
  }

  /** The first one counts. */
  violate(what: string): void {
    this.note(`VIOLATED ${what}`);
    this.#violation ??= what;
  }

  /** Of everything noted; asked once, at the end. */
  digest(): string {
    return this.#hash.digest('hex').slice(0, 16);
  }
}
