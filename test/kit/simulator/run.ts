/** Runs one seed of the simulator: the same seed is the same run, to the last line of its trace. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { finish } from './finish.ts';
import type { Mutant } from './mutant.ts';
import { drawProfile, Steps } from './steps.ts';
import { Trace } from './trace-log.ts';
import { World } from './world.ts';

export type Run = {
  seed: number;
  violation: string | null;
  digest: string;
  steps: number;
  writes: number;
  lines: readonly string[];
};

/** Bounds small enough to be met by small worlds. */
const tight = {
  commitWritesMax: 2,
  intakeQueueMax: 2,
  deliverEntriesMin: 2,
  deliverEntriesMax: 8,
  deliverStepEntries: 2,
  retentionStepEntries: 3,
  projectionStepEntries: 3,
  proxyRequestsMax: 3,
  capacityLookMs: 2_000,
  projectionIdleMs: 3_000,
  guardLookMs: 2_000,
};

/** Where files are fastest. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Puts simulated time and small bounds in the place of the real ones, for as long as it runs. */
async function inSimulation<T>(
  work: (setNow: (now: () => number) => void) => Promise<T>,
): Promise<T> {
  const nowMs = systemClock.nowMs.bind(systemClock);
  const usual = { ...limits };
  Object.assign(limits, tight);
  try {
    return await work((now) => {
      systemClock.nowMs = now;
    });
  } finally {
    systemClock.nowMs = nowMs;
    Object.assign(limits, usual);
  }
}

/** One seed, with the product as it is, or with a mutant of it. */
export function runSeed(seed: number, mutant: Mutant | null = null): Promise<Run> {
  return inSimulation(async (setNow) => {
    const trace = new Trace();
    setNow(() => Date.UTC(2026, 0, 1));
    const world = new World({
      seed,
      root: mkdtempSync(join(base, 'tidemark-sim-')),
      trace,
      mutant,
    });
    setNow(() => world.now);
    let steps = 0;
    try {
      const profile = drawProfile(world.dice, world.isFenceable);
      const course = new Steps(world, profile);
      world.start();
      while (steps < profile.steps && !trace.violation) {
        steps += 1;
        await course.take();
        world.check();
      }
      if (!trace.violation) await finish(world);
    } finally {
      world.end();
    }
    return {
      seed,
      violation: trace.violation,
      steps,
      writes: world.ledger.writes.length,
      lines: trace.lines,
      digest: trace.digest(),
    };
  });
}
