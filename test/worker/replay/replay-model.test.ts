/**
 * Replay, held entries and marks over random lists of what can happen, with I4, I5, I7 and I10
 * checked after every step.
 */
import fc from 'fast-check';
import { test } from 'vitest';
import { moving, runAll, settling, travelling } from '../../kit/worker/replay-machine.ts';

test(
  'replay — over a batch carrier, with databases that are exchanged and restored (I4, I5, I7, I8, I10)',
  { timeout: 150_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(...travelling), { minLength: 1, maxLength: 15 }),
        (steps) => runAll(true, steps),
      ),
      { numRuns: 40 },
    );
  },
);

test(
  'replay — over a carrier without transactions (I4, I5, I7, I8, I10)',
  { timeout: 150_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(...settling), { minLength: 1, maxLength: 15 }), (steps) =>
        runAll(false, steps),
      ),
      { numRuns: 25 },
    );
  },
);

test(
  'replay — with marks moved by hand, exchange, restore, lost answers, restarts (I4, I5, I7, I8, I10)',
  { timeout: 150_000 },
  async () => {
    const steps = fc.array(fc.oneof(...travelling, moving, moving), {
      minLength: 1,
      maxLength: 15,
    });
    await fc.assert(
      fc.asyncProperty(steps, (all) => runAll(true, all)),
      { numRuns: 30 },
    );
  },
);

test(
  'replay — with marks moved by hand over a carrier without transactions (I4, I5, I7, I10)',
  { timeout: 150_000 },
  async () => {
    const steps = fc.array(fc.oneof(...settling, moving), { minLength: 1, maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(steps, (all) => runAll(false, all)),
      { numRuns: 25 },
    );
  },
);
