/**
 * How far long work is, on stderr: one line that is written over on a terminal, plain lines now and
 * then where it goes to a file.
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
  /** What was not said, as too much was said just before. */
  #latest: string | null = null;

  constructor(out: Out = stderrOut(), clock: Clock = systemClock) {
    this.#out = out;
    this.#clock = clock;
  }

  /** Said if nothing was said for a while; what matters beyond progress is for `say`. */
  readonly tell = (line: string): void => {
    const nowMs = this.#clock.monotonicMs();
    this.#latest = line;
    if (nowMs - this.#reportedMs < (this.#out.isTerminal ? terminalEveryMs : fileEveryMs)) return;
    this.#reportedMs = nowMs;
    this.#write(line);
  };

  /** Takes the line off a terminal; into a file goes what was last held back. */
  end(): void {
    if (this.#out.isTerminal) {
      if (this.#isShown) this.#out.write(overwriting(''));
    } else if (this.#latest !== null) this.#write(this.#latest);
    this.#isShown = false;
    this.#latest = null;
  }

  #write(line: string): void {
    const { isTerminal, columns, write } = this.#out;
    // A line that wraps could not be written over.
    const shown = safe(line);
    write(isTerminal ? overwriting(shown.slice(0, columns - 1)) : `${shown}\n`);
    this.#isShown = true;
    this.#latest = null;
  }
}

/** Work that tells how far it is; the line is gone when it ended, however it ended. */
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
