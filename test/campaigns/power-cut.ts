/**
 * Power-cut campaign: workers recorded under load and killed, the power cut at many places of each
 * record, and every remaining disk opened. `node test/campaigns/power-cut.ts [recordings]
 * [cutsEach] [seed]`; figures as JSON; exits 1 when an answered write is missing or a store
 * unsound.
 */
import { type CutReport, cutPower, record } from '../kit/faults/power-cut.ts';

const [recordings = '3', cuts = '400', given = String(Date.now() % 100_000)] =
  process.argv.slice(2);
const imagesACut = 3;
const rules = ['journaled', 'strict'] as const;

const total = {
  recordings: 0,
  answered: 0,
  operations: 0,
  kills: 0,
  checkpoints: 0,
  cuts: 0,
  images: 0,
  looked: 0,
  lost: 0,
};
const mutant = { images: 0, imagesWithLoss: 0, lost: 0 };
const complaints: string[] = [];
const findings: Record<string, number> = {};
const started = performance.now();

function add(report: CutReport): void {
  for (const name of ['cuts', 'images', 'looked', 'lost'] as const) total[name] += report[name];
  for (const [name, count] of Object.entries(report.findings))
    findings[name] = (findings[name] ?? 0) + count;
  complaints.push(...report.complaints);
}

for (let n = 0; n < Number(recordings); n++) {
  const seed = Number(given) + n;
  const recording = await record({ seed, rounds: 6, writesARound: 600 });
  total.recordings += 1;
  total.answered += recording.answered.length;
  total.operations += recording.operations.length;
  total.kills += recording.kills;
  total.checkpoints += recording.checkpoints;
  if (recording.difference) complaints.push(`the record is not complete: ${recording.difference}`);
  for (const names of rules)
    add(
      cutPower(recording, {
        seed,
        cuts: Math.ceil(Number(cuts) / rules.length),
        first: 80,
        imagesACut,
        names,
      }),
    );
  const ignored = cutPower(recording, {
    seed,
    cuts: 20,
    imagesACut: 1,
    names: 'journaled',
    isSyncIgnored: true,
  });
  for (const name of ['images', 'imagesWithLoss', 'lost'] as const) mutant[name] += ignored[name];
}

const isGood = total.lost === 0 && complaints.length === 0 && mutant.imagesWithLoss > 0;
console.log(
  JSON.stringify(
    {
      good: isGood,
      seed: Number(given),
      ...total,
      withoutSyncs: mutant,
      findings,
      complaints: complaints.slice(0, 20),
      seconds: Math.round((performance.now() - started) / 1000),
    },
    null,
    2,
  ),
);
process.exit(isGood ? 0 : 1);
