/** Collects the outcome of each mutation of a batch, by its index. */
import type { MutationResult } from '../../../contracts/mutation.ts';
import { bounds } from '../../bounds.ts';
import { Misfit } from '../../engine/table.ts';

export const applied: MutationResult = { Outcome: 'applied' };

export class Outcomes {
  readonly #results: MutationResult[] = [];

  set(at: number, result: MutationResult): void {
    this.#results[at] = result;
  }

  reject(at: number, reason: string): void {
    this.#results[at] = rejected(reason);
  }

  /** Runs the work for a mutation; a value that its column cannot hold becomes the outcome. */
  attempt(at: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      this.reject(at, error.message);
    }
  }

  /** The outcomes of a batch of that many mutations. */
  all(count: number): MutationResult[] {
    return Array.from(
      { length: count },
      (_, at) => this.#results[at] ?? rejected('the mutation has no outcome'),
    );
  }
}

function rejected(reason: string): MutationResult {
  return { Outcome: 'rejected', Reason: reason.slice(0, bounds.reasonCharsMax) };
}
