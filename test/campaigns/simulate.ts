/**
 * Simulator campaign: `node test/campaigns/simulate.ts [from] [to]` runs these seeds and prints
 * figures as JSON, with the trace of the first that violates an invariant; exits 1 when one does.
 */
import { type Run, runSeed } from '../kit/simulator/run.ts';

const [from = 1, to = 1_000] = process.argv.slice(2).map(Number);
const started = performance.now();
let [steps, writes] = [0, 0];
const bad: Run[] = [];
for (let seed = from; seed <= to; seed++) {
  const run = await runSeed(seed);
  steps += run.steps;
  writes += run.writes;
  if (run.violation) bad.push(run);
}
const seconds = (performance.now() - started) / 1_000;
console.log(
  JSON.stringify(
    {
      good: bad.length === 0,
      from,
      to,
      seeds: to - from + 1,
      steps,
      writes,
      seconds: Math.round(seconds),
      seedsPerSecond: Math.round(((to - from + 1) / seconds) * 10) / 10,
      violations: bad.map(({ seed, violation }) => ({ seed, violation })),
      first: bad[0] ? bad[0].lines.slice(-80) : null,
    },
    null,
    2,
  ),
);
process.exit(bad.length === 0 ? 0 : 1);
