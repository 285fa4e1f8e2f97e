/**
 * The JSON files beside the store, for people and for the start that finds the store gone; behind
 * the truth by at most a moment.
 */
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { Mirror } from '../../hwm/mirror.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { assignmentFileName, marksFileName } from '../state/file-names.ts';

const identityFileName = 'store.json';

export class Mirrors {
  readonly #mirrors: Mirror[];
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | null = null;

  /** @param content throws where a file must not be written now */
  constructor(
    dataDir: string,
    content: { marks: () => object; assignment: () => object; identity: () => object },
    clock: Clock,
    log: Log,
  ) {
    this.#mirrors = [
      new Mirror(join(dataDir, marksFileName), content.marks),
      new Mirror(join(dataDir, assignmentFileName), content.assignment),
      new Mirror(join(dataDir, identityFileName), content.identity),
    ];
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

  /**
   * Writes all now. A file that cannot be written is reported and tried again with the next change:
   * the truth is in the store.
   */
  async write(): Promise<void> {
    for (const mirror of this.#mirrors) {
      try {
        await mirror.write();
      } catch (error) {
        this.#log.warn(
          { reason: messageOf(error) },
          'a file for people could not be written; the store has the truth',
        );
      }
    }
  }
}
