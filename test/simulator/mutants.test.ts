/** The sharpness of the simulated world: every mutant of the product is found. */
import { expect, test } from 'vitest';
import { mutants } from '../kit/simulator/mutants.ts';
import { runSeed } from '../kit/simulator/run.ts';

const seedsEach = 1_000;

for (const mutant of mutants) {
  test(`simulator — found within ${seedsEach} seeds: ${mutant.name} (${mutant.breaks})`, async () => {
    let seed = 1;
    let found = await runSeed(seed, mutant);
    while (!found.violation && seed < seedsEach) found = await runSeed(++seed, mutant);
    console.log(`${mutant.name}: seed ${seed}, ${found.violation}`);
    expect(found.violation).not.toBeNull();
  }, 300_000);
}
