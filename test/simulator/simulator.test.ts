/** The simulated world over some seeds, and its exact repetition. */
import { expect, test } from 'vitest';
import { runSeed } from '../kit/simulator/run.ts';

test('simulator — worlds of 60 seeds keep I1, I2, I3, I4, I5, I6, I7, I8, I9 and I10 after every step', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const { violation, lines } = await runSeed(seed);
    expect(violation === null ? [] : [seed, violation, ...lines.slice(-40)]).toEqual([]);
  }
}, 300_000);

test('simulator — a seed is the same run again, to the last line', async () => {
  for (const seed of [3, 17, 40, 41, 42]) {
    const first = await runSeed(seed);
    expect((await runSeed(seed)).digest).toBe(first.digest);
  }
}, 120_000);

test('seed 629 — an epoch the database did not take is not confirmed, so no mark goes back (I4)', async () => {
  expect((await runSeed(629)).violation).toBeNull();
});
