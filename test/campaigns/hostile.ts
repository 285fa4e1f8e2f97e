/**
 * Hostile campaign: what each role may send, and more, against real processes, from a seed. `node
 * test/campaigns/hostile.ts <seconds> <seed> [--steps a-b] [--load]`; figures as JSON, with a
 * reproduction of each violation; exits 1 when there is one.
 */
import { parseArgs } from 'node:util';
import { runCampaign } from '../kit/hostile/campaign.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { steps: { type: 'string' } },
});
const [seconds = '60', seed = String(Date.now() % 100_000)] = positionals;
const [from, to] = (values.steps ?? '').split('-').map(Number);
const report = await runCampaign({
  seconds: Number(seconds),
  seed: Number(seed),
  ...(from ? { steps: { from, to: to ?? from } } : {}),
});
console.log(JSON.stringify(report, null, 2));
process.exit(report.good ? 0 : 1);
