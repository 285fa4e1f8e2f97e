/** The JSON files for people, kept behind the truth by at most a moment. */
import { join } from 'node:path';
import { messageOf } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { Mirror } from '../hwm/mirror.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { assignmentFileName, marksFileName } from './legacy-files.ts';

export class Mirrors {
  readonly #mirrors: Mirror[];
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | null = null;

  constructor(dataDir: string, content: { marks: () => object; assignment: () => object }, clock: Clock, log: Log) {
    this.#mirrors = [new Mirror(join(dataDir, marksFileName), content.marks), new Mirror(join(dataDir, assignmentFileName), content.assignment)];
    this.#clock = clock;
    this.#log = log;
  }

  /** Something they show may have changed. */
  touch(): void {
    if (this.#cancel) return;
    this.#cancel = this.#clock.timer(limits.mirrorDelayMs, () => {
      this.#cancel = null;
      void this.write();
    });
  }

  /** Writes the last truth; nothing is written after it. */
  async close(): Promise<void> {
    this.#cancel?.();
    this.#cancel = () => undefined;
    await this.write();
  }

  /** Writes both now. A file that cannot be written is told of and tried again with the next change: the truth is in the store. */
  async write(): Promise<void> {
    for (const mirror of this.#mirrors) {
      try {
        await mirror.write();
      } catch (error) {
        this.#log.warn({ reason: messageOf(error) }, 'a file for people could not be written; the store has the truth');
      }
    }
  }
}
