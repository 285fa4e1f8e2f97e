/**
 * Answered writes leave the hub's file some at a time. What is not taken out when the process dies
 * is sent once more by the next, and is a repeat to the worker.
 */
import { systemStamps } from '../../contracts/client/stamps.ts';
import { limits } from '../../contracts/limits.ts';
import type { LaneFile } from './hub-file.ts';

export class Answered {
  readonly #file: LaneFile;
  readonly #onFault: (error: unknown) => void;
  #ids: number[] = [];

  constructor(file: LaneFile, onFault: (error: unknown) => void) {
    this.#file = file;
    this.#onFault = onFault;
  }

  add(id: number): void {
    this.#ids.push(id);
    if (this.#ids.length >= limits.dropinForgetWrites) this.forget();
    else if (this.#ids.length === 1)
      void systemStamps.sleep(limits.dropinForgetMs).then(() => this.forget());
  }

  /** Takes them out now, and gives room that is not needed back to the disk. */
  forget(): void {
    if (this.#ids.length === 0) return;
    try {
      this.#file.remove(this.#ids);
      this.#file.file.shrink();
    } catch (error) {
      this.#onFault(error);
    }
    this.#ids = [];
  }
}
