/**
 * Hostile campaign: what each role may send, and more, against real processes, from a seed. `node
 * test/campaigns/hostile.ts <seconds> <seed> [--steps a-b] [--load]`; figures as JSON, with a
 * reproduction of each violation; exits 1 when there is one. With `--load [--kind words]` each of fifteen kinds of
 * message alone and a thousand times in ten seconds instead, as a table.
 */
import { parseArgs } from 'node:util';
import { runCampaign } from '../kit/hostile/campaign.ts';
import { runLoad } from '../kit/hostile/load.ts';

/** What another client's synced writes may take, and the processes' memory, under each flood. */
const p99MsMax = 250;
const peakMiBMax = 512;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { steps: { type: 'string' }, load: { type: 'boolean' }, kind: { type: 'string' } },
});
if (values.load) {
  const lines = await runLoad({ messages: 1_000, seconds: 10, kind: values.kind ?? '' });
  console.table(lines);
  console.log(JSON.stringify(lines));
  const isGood = lines.every((line) => line.p99Ms < p99MsMax && line.peakMiB < peakMiBMax);
  process.exit(isGood ? 0 : 1);
}
const [seconds = '60', seed = String(Date.now() % 100_000)] = positionals;
const [from, to] = (values.steps ?? '').split('-').map(Number);
const report = await runCampaign({
  seconds: Number(seconds),
  seed: Number(seed),
  ...(from ? { steps: { from, to: to ?? from } } : {}),
});
console.log(JSON.stringify(report, null, 2));
process.exit(report.good ? 0 : 1);
