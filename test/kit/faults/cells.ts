/** The cells of the fault matrix: all of them, and a short selection with every fault once. */
import type { Cell } from './cell.ts';
import { faults } from './faults.ts';
import { moments } from './moments.ts';

/** Each with a seed of its own. */
export function cellsOf(seed: number): Cell[] {
  return faults
    .flatMap((fault) =>
      moments.flatMap((moment) =>
        [false, true].map((isSupervised) => ({ fault, moment, isSupervised })),
      ),
    )
    .map((cell, index) => ({ ...cell, seed: seed + index }));
}

/** Every fault once, moments and restarts in turn, other ones with another seed. */
export function someCells(seed: number): Cell[] {
  return faults.map((fault, index) => {
    const moment = moments[(seed + index) % moments.length];
    if (!moment) throw new Error('there are no moments');
    return {
      fault,
      moment,
      isSupervised: Math.floor((seed + index) / moments.length + index) % 2 === 1,
      seed: seed + index,
    };
  });
}
