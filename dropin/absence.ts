/**
 * How long nobody has answered, and what the hub's log says of it: nothing when all is well, one
 * line after a while, again each minute, and one when it is over.
 */
import { systemStamps } from '../contracts/client/stamps.ts';
import { limits } from '../contracts/limits.ts';

export type AbsenceParts = {
  /** Hubs that are served on this bus; null when that cannot be asked. */
  served: () => Promise<readonly string[] | null>;
  /** How many writes wait, and where, in words. */
  waiting: () => string;
  info: (line: string) => void;
  warn: (line: string) => void;
};

/** More hubs than this do not fit into a line. */
const hubsShownMax = 8;

export class Absence {
  readonly #parts: AbsenceParts;
  /** When it began; null while somebody answers. */
  #sinceMs: number | null;
  #reason = 'nobody was reached yet';
  #nextWordMs: number;
  #hasSpoken = false;
  readonly #onKnown = new Set<() => void>();

  constructor(parts: AbsenceParts) {
    this.#parts = parts;
    this.#sinceMs = systemStamps.nowMs();
    this.#nextWordMs = this.#sinceMs + limits.dropinFirstWordMs;
  }

  get reason(): string {
    return this.#reason;
  }

  /** True when it has lasted too long to be a restart. */
  get isKnown(): boolean {
    return this.#sinceMs !== null && systemStamps.nowMs() - this.#sinceMs >= limits.dropinAwayMs;
  }

  /** What a task gives; undefined when it is known before that nobody answers. */
  async unlessKnown<T>(task: Promise<T>): Promise<T | undefined> {
    let tell: () => void = () => undefined;
    const known = new Promise<undefined>((resolve) => {
      tell = () => resolve(undefined);
    });
    this.#onKnown.add(tell);
    try {
      return await Promise.race([task, known]);
    } finally {
      this.#onKnown.delete(tell);
    }
  }

  /** Somebody answers. */
  heard(): void {
    if (this.#sinceMs !== null && this.#hasSpoken)
      this.#parts.info(
        `answers again after ${secondsSince(this.#sinceMs)} s; ${this.#parts.waiting()}`,
      );
    this.#sinceMs = null;
    this.#hasSpoken = false;
  }

  /** Nobody answered a question. @param isUnserved nobody is there to ask */
  away(reason: string, isUnserved: boolean): void {
    const nowMs = systemStamps.nowMs();
    if (this.#sinceMs === null) {
      this.#sinceMs = nowMs;
      this.#nextWordMs = nowMs + limits.dropinFirstWordMs;
    }
    this.#reason = reason;
    if (this.isKnown) for (const tell of this.#onKnown) tell();
    if (nowMs < this.#nextWordMs) return;
    this.#nextWordMs = nowMs + limits.dropinNextWordMs;
    this.#hasSpoken = true;
    void this.#speak(this.#sinceMs, isUnserved);
  }

  async #speak(sinceMs: number, isUnserved: boolean): Promise<void> {
    const served = isUnserved ? await this.#parts.served().catch(() => null) : null;
    if (this.#sinceMs === null) return;
    const others =
      served === null
        ? ''
        : served.length === 0
          ? '; no hub is served there, start one: tidemark worker'
          : `; served there: ${served.slice(0, hubsShownMax).join(', ')}` +
            (served.length > hubsShownMax ? ` and ${served.length - hubsShownMax} more` : '');
    this.#parts.warn(
      `${this.#reason} (for ${secondsSince(sinceMs)} s)${others}; ${this.#parts.waiting()}`,
    );
  }
}

function secondsSince(ms: number): number {
  return Math.round((systemStamps.nowMs() - ms) / 1_000);
}
