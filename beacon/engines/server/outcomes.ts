/** What became of each mutation of a batch, by its place in it. */
import type { MutationResult } from '../../../contracts/mutation.ts';
import { bounds } from '../../bounds.ts';
import { Misfit } from '../../engine/table.ts';

export const applied: MutationResult = { Outcome: 'applied' };
export const alreadyPresent: MutationResult = { Outcome: 'already-present' };

export class Outcomes {
  readonly #results: MutationResult[] = [];

  set(at: number, result: MutationResult): void {
    this.#results[at] = result;
  }

  reject(at: number, reason: string): void {
    this.#results[at] = rejected(reason);
  }

  /** Does the work for that mutation; what a column cannot hold is its outcome. */
  attempt(at: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      this.reject(at, error.message);
    }
  }

  /** Of a batch of that many mutations. */
  all(count: number): MutationResult[] {
    return Array.from(
      { length: count },
      (_, at) => this.#results[at] ?? rejected('the mutation was forgotten'),
    );
  }
}

function rejected(reason: string): MutationResult {
  return { Outcome: 'rejected', Reason: reason.slice(0, bounds.reasonCharsMax) };
}
