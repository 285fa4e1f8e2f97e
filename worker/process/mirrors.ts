/**
 * The JSON files next to the store, for people and for a start that finds the store missing. They
 * lag behind it by a moment at most.
 */
import { join } from 'node:path';
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { Mirror } from '../../hwm/mirror.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Local } from '../journal/local.ts';
import { assignmentFileName, marksFileName } from '../state/file-names.ts';
import type { Core } from './core.ts';

const identityFileName = 'store.json';

export class Mirrors {
  readonly #mirrors: Mirror[];
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | null = null;

  /** @param content throws when a file must not be written now */
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

  /** Something that the files show may have changed. */
  touch(): void {
    if (this.#cancel) return;
    this.#cancel = this.#clock.timer(limits.mirrorDelayMs, () => {
      this.#cancel = null;
      void this.write();
    });
  }

  /** Writes the files a last time; nothing is written after it. */
  async close(): Promise<void> {
    this.#cancel?.();
    this.#cancel = () => undefined;
    await this.write();
  }

  /**
   * Writes all files now. A failure is reported and tried again with the next change; the store is
   * what counts.
   */
  async write(): Promise<void> {
    for (const mirror of this.#mirrors) {
      try {
        await mirror.write();
      } catch (error) {
        this.#log.warn(
          { reason: messageOf(error) },
          'a file for people could not be written; nothing is lost, the store has its content',
        );
      }
    }
  }
}

/** Those of a worker. */
export function mirrorsOf(
  { delivery, operators }: Pick<Core, 'delivery' | 'operators'>,
  { local, clock, log }: { local: Local; clock: Clock; log: Log },
): Mirrors {
  const { store } = local;
  const content = {
    marks: () => operators.overview.marksFile(),
    assignment: () => delivery.destinations.assignments.file(),
    identity: () => store.note(),
  };
  return new Mirrors(store.dataDir, content, clock, log);
}
