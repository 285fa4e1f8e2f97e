/**
 * Progress of long work on stderr: one line that is overwritten on a terminal, occasional plain
 * lines in a file.
 */
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { type Out, overwriting, safe, stderrOut } from './writer.ts';

const terminalEveryMs = 200;
const fileEveryMs = 2_000;

export class Progress {
  readonly #out: Out;
  readonly #clock: Clock;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #isShown = false;
  /** The latest line that was held back. */
  #latest: string | null = null;

  constructor(out: Out = stderrOut(), clock: Clock = systemClock) {
    this.#out = out;
    this.#clock = clock;
  }

  /** Shown at most every so often; anything more important goes to `say`. */
  readonly tell = (line: string): void => {
    const nowMs = this.#clock.monotonicMs();
    this.#latest = line;
    if (nowMs - this.#reportedMs < (this.#out.isTerminal ? terminalEveryMs : fileEveryMs)) return;
    this.#reportedMs = nowMs;
    this.#write(line);
  };

  /** Clears the line on a terminal; writes the line last held back to a file. */
  end(): void {
    if (this.#out.isTerminal) {
      if (this.#isShown) this.#out.write(overwriting(''));
    } else if (this.#latest !== null) this.#write(this.#latest);
    this.#isShown = false;
    this.#latest = null;
  }

  #write(line: string): void {
    const { isTerminal, columns, write } = this.#out;
    // A wrapped line could not be overwritten.
    const shown = safe(line);
    write(isTerminal ? overwriting(shown.slice(0, columns - 1)) : `${shown}\n`);
    this.#isShown = true;
    this.#latest = null;
  }
}

/** Runs work that reports progress; the line is cleared when it ends, also on failure. */
export async function withProgress<T>(
  work: (tell: (line: string) => void) => Promise<T> | T,
): Promise<T> {
  const progress = new Progress();
  try {
    return await work(progress.tell);
  } finally {
    progress.end();
  }
}
